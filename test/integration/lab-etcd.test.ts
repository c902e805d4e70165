import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LabEtcd, startEtcd, stopEtcds } from '../../lab/etcd-server.ts';
import { labOfRef, labPaths } from '../../lab/paths.ts';
import { tryRun } from '../../lab/run.ts';

/** The etcd that tests run beside their labs: clients are held apart by certificate and password, as at users. */

const PORT = 23_790;
const lab = { name: 'kdle', sshKey: labPaths('kdle').sshKey };
let etcd: LabEtcd;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kdle-'));
  etcd = await startEtcd(lab, {
    ...{ address: '127.0.0.1', port: PORT },
    users: [
      { name: 'cluster-a', grants: [{ prefix: '/a/', permission: 'readwrite' }] },
      { name: 'cluster-b', password: 'b-secret', grants: [{ prefix: '/b/', permission: 'read' }] },
    ],
  });
  const { cert, key } = await etcd.client('cluster-a');
  for (const [name, text] of Object.entries({ ca: etcd.ca, cert, key })) await writeFile(join(folder, name), text);
});
afterAll(async () => {
  await etcd?.stop();
  await rm(labOfRef(lab).stateDir, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

/** etcdctl with the certificate of cluster-a, or without one; what it printed or why it failed. */
async function ask(args: readonly string[], certificate = true): Promise<string> {
  const own = certificate ? ['--cert', join(folder, 'cert'), '--key', join(folder, 'key')] : [];
  const access = ['--endpoints', etcd.url, '--cacert', join(folder, 'ca'), ...own, '--command-timeout=3s'];
  const { stdout, stderr } = await tryRun([etcd.etcdctl, ...access, ...args]);
  return stdout || stderr;
}

it('takes no client without a certificate, and holds users by what they are granted', async () => {
  expect(await ask(['get', '/a/x'], false)).toMatch(/certificate required|bad certificate|deadline/);
  expect(await ask(['put', '/a/y', '1'])).toBe('OK\n');
  expect(await ask(['put', '/b/x', '1'])).toContain('permission denied');
  const b = ['--user', 'cluster-b:b-secret'];
  expect(await ask([...b, 'put', '/b/x', '1'])).toContain('permission denied');
  expect(await ask([...b, 'get', '/b/x', '--write-out=json'])).toContain('"revision"');
  expect(await ask(['--user', 'cluster-b:wrong', 'get', '/b/x'])).toContain('authentication failed');
});

it('keeps its data while it is halted, and is gone when it is stopped', async () => {
  await etcd.ctl('put', '/a/x', 'kept');
  await etcd.halt();
  expect(await ask(['get', '/a/x'])).toMatch(/refused|deadline/);
  await etcd.resume();
  expect(await etcd.ctl('get', '--print-value-only', '/a/x')).toBe('kept\n');
  expect(await ask(['get', '--print-value-only', '/a/x'])).toBe('kept\n');
  await stopEtcds(labOfRef(lab));
  expect(await ask(['get', '/a/x'])).toMatch(/refused|deadline/);
});
