import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
const MARKER = 'node_modules/.kubewright-installed';
let folder: string;

type Packages = Record<string, Record<string, unknown>>;
const LOCKED: Packages = {
  '': { name: 'kubewright' },
  'node_modules/fastify': { version: '5.12.8', integrity: 'sha512-a' },
  'node_modules/vitest': { version: '5.1.0', integrity: 'sha512-b', dev: true },
  'node_modules/only-darwin': { version: '1.0.0', integrity: 'sha512-c', optional: true, os: ['darwin'] },
  'node_modules/node': { version: '24.21.0', integrity: 'sha512-d' },
};
const put = (path: string, content: string | object, mode = 0o644) => {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content), { mode });
};
/** What npm says that it installed. */
const installed = (change: (packages: Packages) => void = () => {}) => {
  const { '': _root, 'node_modules/only-darwin': _other, ...packages } = structuredClone(LOCKED);
  change(packages);
  put('node_modules/.package-lock.json', { lockfileVersion: 3, packages });
};
/** `node scripts/bootstrap.mjs run ENTRY`; what the entry printed, and how often npm was called. */
function run(entry = 'cli/main.ts') {
  const { stdout, status } = spawnSync(process.execPath, [join(folder, 'scripts/bootstrap.mjs'), 'run', entry], {
    encoding: 'utf8',
    env: { PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}` },
  });
  const log = join(folder, 'npm.log');
  return { stdout, status, npm: existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [] };
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubewright-bootstrap-'));
  for (const program of ['scripts/bootstrap.mjs', 'worker/strip-types.mjs']) {
    mkdirSync(join(folder, program, '..'));
    copyFileSync(join(ROOT, program), join(folder, program));
  }
  put('package-lock.json', { lockfileVersion: 3, packages: LOCKED });
  for (const entry of ['cli/main.ts', 'lab/main.ts']) put(entry, `process.stdout.write('ran');`);
  put('bin/npm', `#!/bin/sh\necho "$*" >>${join(folder, 'npm.log')}\n`, 0o755);
  mkdirSync(join(folder, 'node_modules/node/bin'), { recursive: true });
  symlinkSync(process.execPath, join(folder, 'node_modules/node/bin/node'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('installs nothing where packages installed by hand fit the lock file', () => {
  installed();
  expect(run()).toEqual({ stdout: 'ran', status: 0, npm: [] });
  // From then on the marker says so.
  expect(existsSync(join(folder, MARKER))).toBe(true);
  rmSync(join(folder, 'node_modules/.package-lock.json'));
  expect(run()).toMatchObject({ stdout: 'ran', npm: [] });
});

it('takes an installation without development packages for what needs none', () => {
  installed((packages) => delete packages['node_modules/vitest']);
  expect(run()).toEqual({ stdout: 'ran', status: 0, npm: [] });
  expect(existsSync(join(folder, MARKER))).toBe(false);
  expect(run('lab/main.ts').npm).toHaveLength(1);
});

it.each<[string, (packages: Packages) => void]>([
  ['another version', (packages) => (packages['node_modules/fastify'] = { version: '5.0.0', integrity: 'sha512-a' })],
  ['another content', (packages) => (packages['node_modules/fastify'] = { version: '5.12.8', integrity: 'sha512-x' })],
  ['a missing package', (packages) => delete packages['node_modules/fastify']],
])('installs when there is %s', (_what, change) => {
  installed(change);
  expect(run()).toMatchObject({ stdout: 'ran', npm: [expect.stringMatching(/^ci /)] });
});

it('installs when there is nothing that npm wrote', () => {
  expect(run().npm).toHaveLength(1);
  put('node_modules/.package-lock.json', 'not JSON');
  rmSync(join(folder, MARKER));
  expect(run().npm).toHaveLength(2);
});
