import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { phaseValidator } from '../../../api/validate-phases.ts';
import { commandsFor, programOf } from '../../../cli/program.ts';
import { parseClusterSpec } from '../../../contracts/spec-parse.ts';
import { root } from '../../architecture/source-files.ts';
import { type TestApi, testApi } from './support.ts';

/** What README.md shows of the API and the command line works as it stands there. */
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const [, yaml = ''] = /```yaml\n([\s\S]*?)\n *```/.exec(readme) ?? [];

let api: TestApi;
beforeAll(async () => {
  api = await testApi();
  return () => api.close();
}, 60_000);

it('the spec of README is accepted with the options of our phases', async () => {
  const spec = parseClusterSpec(yaml, 'application/yaml', phaseValidator(await loadPhases()));
  expect(spec.metadata.name).toBe('prod');
  expect(parse(yaml)).toHaveProperty('spec.artifacts.mirror');
});

it('every request of README has a route', async () => {
  const { paths } = (await api.call('GET', '/docs/json')).body as { paths: Record<string, object> };
  const routes = Object.keys(paths).map((path) => new RegExp(`^${path.replaceAll(/\{[^}]+\}/g, '[^/]+')}$`));
  const asked = [
    ...[...readme.matchAll(/http:\/\/127\.0\.0\.1:8080(\/[a-z0-9/-]+)/g)].map(([, path = '']) => path),
    ...[...readme.matchAll(/`(?:POST|DELETE|GET|PUT) (\/[a-z0-9/-]+)/g)].map(([, path = '']) => path),
  ].filter((path) => path !== '/docs');
  expect(asked.length).toBeGreaterThan(2);
  expect(asked.filter((path) => !routes.some((route) => route.test(path)))).toEqual([]);
});

it('every command of README is one of kubewright, with its arguments and options', async () => {
  const lines = [...readme.matchAll(/npx kubewright ([^`#\n]+)/g)].map(([, line = '']) => line.trim().split(/\s+/));
  expect(lines.length).toBeGreaterThan(6);
  for (const words of lines) {
    const program = programOf(await commandsFor(words));
    const ran: string[] = [];
    const quiet = (command: Command): void => {
      command.configureOutput({ writeErr: () => undefined });
      if (command.commands.length === 0) command.action(() => void ran.push(command.name()));
      for (const each of command.commands) quiet(each);
    };
    quiet(program);
    await program.parseAsync(words, { from: 'user' });
    expect(ran, words.join(' ')).toHaveLength(1);
  }
});
