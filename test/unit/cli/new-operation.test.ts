import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { checkoutRoot } from '../../../cli/dev/paths.ts';
import { FOLDERS } from '../../architecture/source-files.ts';

let copy: string;
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'kubewright-operation-'));
  for (const path of [...FOLDERS, 'package.json', 'tsconfig.json', 'vitest.config.ts', 'biome.json']) {
    cpSync(join(checkoutRoot, path), join(copy, path), { recursive: true });
  }
  symlinkSync(join(checkoutRoot, 'node_modules'), join(copy, 'node_modules'));
  return () => rmSync(copy, { recursive: true, force: true });
});

const run = (...args: string[]) => spawnSync(process.execPath, args, { cwd: copy, encoding: 'utf8' });
const newOperation = (...args: string[]) => run('cli/dev/new-operation.ts', ...args);

it('new:operation makes a kind that loads, is formatted, and passes its generated test', () => {
  const made = newOperation('restart-clocks');
  expect(made.stderr).toBe('');
  const files = ['activities/operations/kinds/restart-clocks.ts', 'test/unit/operations/restart-clocks.test.ts'];
  for (const file of files) expect(made.stdout).toContain(file);
  const format = run('node_modules/@biomejs/biome/bin/biome', 'check', '--vcs-enabled=false', ...files);
  expect(format.stderr).toBe('');
  const test = run('node_modules/vitest/vitest.mjs', 'run', '--project', 'unit', files[1]!);
  expect(test.stdout).toMatch(/2 passed/);
  expect(test.status).toBe(0);
}, 120_000);

it('new:operation refuses wrong names, aliases of earlier versions, and a kind that is there', () => {
  expect(newOperation('Not A Name').status).toBe(1);
  expect(newOperation('check')).toMatchObject({ status: 1, stderr: expect.stringContaining('earlier version') });
  expect(newOperation('build')).toMatchObject({ status: 1, stderr: expect.stringContaining('is there already') });
});
