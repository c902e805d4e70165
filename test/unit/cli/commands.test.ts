import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { contextNamed, readContexts, writeContexts } from '../../../cli/client/contexts.ts';
import { ApiError, explain } from '../../../cli/client/explain.ts';
import { ageOf, tableOf } from '../../../cli/client/print.ts';
import type { CliCommand } from '../../../cli/command.ts';

const folder = join(import.meta.dirname, '../../../cli/commands');
const files = readdirSync(folder);
const commands = await Promise.all(
  files.map(async (file) => ({
    file,
    command: ((await import(join(folder, file))) as { default: CliCommand }).default,
  })),
);
const own = mkdtempSync(join(tmpdir(), 'kubewright-cli-'));
afterAll(() => rmSync(own, { recursive: true }));

/** The real process, with a folder of its own as home, and no service. */
async function run(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [join(folder, '../main.ts'), ...args], {
    env: { PATH: process.env['PATH'], HOME: own, KUBEWRIGHT_CONFIG: join(own, 'config.yaml'), ...env },
    cwd: own,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, err };
}

describe('a command of kubewright', () => {
  it.each(commands)(
    'in $file has the name of its file, a description, and an example of itself in its help',
    ({ file, command }) => {
      expect(`${command.words.join('-')}.ts`).toBe(file);
      const built = command.build();
      expect(built.description()).not.toBe('');
      let help = '';
      built.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      expect(help).toContain(
        `  kubewright ${command.words.join(' ')}`.replace('kubewright completion', 'source <(kubewright completion'),
      );
    },
  );

  it.each<[string[], number, string]>([
    [['gett', 'clusters'], 2, "unknown command 'gett'"],
    [['get', 'clustre'], 2, 'there is no resource clustre; did you mean cluster?'],
    [['get', 'operations'], 2, 'operations are of a cluster: give it with --cluster'],
    [['get', 'clusters', '-o', 'xml'], 2, 'Allowed choices are table, wide, json, yaml, name'],
    [['apply'], 2, "required option '-f, --filename <file>' not specified"],
    [['apply', '-f', 'absent.yaml'], 2, 'absent.yaml cannot be read'],
    [['apply', '-f', 'x', '--wait', '--timeout', 'soon'], 2, 'soon is no duration such as 90s, 10m or 1h'],
    [['pause', 'prod', '--mode', 'hard'], 2, 'Allowed choices are drain, interrupt'],
    [['delete', 'cluster', 'prod'], 2, 'this removes prod: repeat it with --confirm prod'],
    [['delete', 'cluster', 'prod', '--confirm', 'demo'], 2, 'repeat it with --confirm prod'],
    [['delete', 'host', 'w-1', '--confirm', 'w-1'], 2, 'hosts are of a cluster'],
    [['delete', 'node', 'w-1'], 2, 'delete takes cluster or host, not node'],
    [['describe', 'token', 'x'], 2, 'describe takes cluster NAME'],
    [['history', 'prod', '--limit', '0'], 2, '--limit must be 1 to 200'],
    [['credential', 'set', 'ops'], 2, 'give one of --from-file and --password-file'],
    [['config', 'use-context', 'none'], 2, 'there is no context none (contexts: none)'],
    [['config', 'set-context', '../x', '--server', 'http://x'], 2, 'a name of a context has letters'],
    [['completion', 'csh'], 2, 'Allowed choices are bash, zsh, fish'],
    [['get', 'clusters', '--server', 'ftp://x'], 2, 'ftp://x is no http:// or https:// URL'],
    [['get', 'clusters', '--server', 'http://127.0.0.1:9'], 6, 'http://127.0.0.1:9 does not answer'],
    [['get', 'clusters', '--token-file', 'absent'], 1, 'the token cannot be read'],
    [['get', 'clusters', '--context', 'none'], 2, 'there is no context none'],
  ])('%j ends with the exit code %i and a sentence', async (args, code, sentence) => {
    const found = await run(args, args.includes('--token-file') ? {} : { KUBEWRIGHT_TOKEN: 'kw_x' });
    expect(found.err).toContain(sentence);
    expect({ code: found.code, out: found.out }).toEqual({ code, out: '' });
  });

  it('needs a token', async () => {
    expect(await run(['get', 'clusters'])).toMatchObject({ code: 2, err: expect.stringContaining('no token: give') });
  });

  it('completes commands in bash', async () => {
    const { out } = await run(['completion', 'bash']);
    for (const word of ['apply', 'audit', 'token', 'create revoke']) expect(out).toContain(word);
  });
});

describe('contexts', () => {
  it('are kept in a file of mode 0600, and one that others may read is refused', async () => {
    const set = await run(['config', 'set-context', 'prod', '--server', 'https://x.example', '--token-file', '/t']);
    expect(set).toMatchObject({ code: 0, err: '' });
    const file = join(own, 'config.yaml');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await run(['config', 'get-contexts'])).out).toMatch(/\* +prod +https:\/\/x\.example +\/t/);
    chmodSync(file, 0o640);
    expect(await run(['config', 'get-contexts'])).toMatchObject({ code: 1, err: expect.stringContaining('chmod 600') });
  });

  it('are read strictly', () => {
    const file = join(own, 'other.yaml');
    writeContexts({ contexts: { one: { server: 'http://x' } } }, file);
    expect(readFileSync(file, 'utf8')).toContain('server: http://x');
    expect(() => contextNamed(readContexts(file), 'constructor')).toThrow('there is no context constructor');
    for (const [text, problem] of [
      ['contexts: 3', 'must be a map'],
      ['contexts: { a: {} }', 'has no server'],
      ['a: [', 'is no YAML'],
    ] as const) {
      writeFileSync(file, text);
      expect(() => readContexts(file), text).toThrow(problem);
    }
  });
});

it('an error has its code, place, evidence and what to do, and no line of it passes for another', () => {
  const problem = {
    detail: 'no\nkubewright: fine',
    code: 'SPEC_INVALID',
    hint: 'correct it',
    evidence: 'a\nb',
  } as const;
  const refused = explain(new ApiError(422, { ...problem, errors: [{ path: 'spec.hosts', message: 'too few' }] }));
  expect(refused.code).toBe(3);
  expect(refused.text.split('\n')).toEqual([
    ...['kubewright: no', '  kubewright: fine (SPEC_INVALID)', '  spec.hosts: too few'],
    ...['  evidence:', '    a', '    b', '  what to do: correct it'],
  ]);
  expect([401, 403, 404, 409, 503].map((status) => explain(new ApiError(status, {})).code)).toEqual([4, 4, 5, 3, 6]);
  expect(explain(new Error('x'))).toEqual({ text: 'kubewright: x', code: 1 });
});

it('tables are aligned, and ages are short', () => {
  expect(
    tableOf([
      ['A', 'B'],
      ['long', 'x'],
    ]),
  ).toEqual(['A      B', 'long   x']);
  const now = Date.parse('2026-12-01T00:00:00Z');
  const ages = ['2026-11-30T23:59:30Z', '2026-11-30T23:30:00Z', '2026-11-30T20:00:00Z', '2026-11-20T00:00:00Z'];
  expect(ages.map((time) => ageOf(time, now))).toEqual(['30s', '30m', '4h', '11d']);
  expect(ageOf(null)).toBe('');
});
