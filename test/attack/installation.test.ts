import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EMBEDDED, type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

/** Issue 9, E5: loss and repair of a whole installation: API, worker and Temporal as `npm start` runs them. */

const run = promisify(execFile);
const CLI = join(import.meta.dirname, '../../cli/kubewright.mjs');

/** One host that never answers: TEST-NET-1 of RFC 5737. Its build is running, then blocked. */
const spec = (name: string, address: string) => ({
  apiVersion: 'kubewright.dev/v1alpha1',
  kind: 'Cluster',
  metadata: { name },
  spec: {
    hosts: [{ name: 'cp-1', address, roles: ['control-plane', 'etcd', 'worker'] }],
    ssh: { credential: { name: 'login' } },
  },
});

async function json(api: ServiceProcess, method: string, path: string, body?: unknown) {
  const { status, text } = await api.call(method, path, body === undefined ? {} : { body });
  return { status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> };
}

async function operations(api: ServiceProcess, cluster: string): Promise<{ operationId: string; state: string }[]> {
  const { body } = await json(api, 'GET', `/clusters/${cluster}/operations?limit=100`);
  return body['items'] as { operationId: string; state: string }[];
}

/** Wait for what must become true; the test's own timeout bounds it. */
async function until(what: () => Promise<boolean>): Promise<void> {
  while (!(await what().catch(() => false))) await sleep(250);
}

const ready = (api: ServiceProcess) => until(async () => (await api.call('GET', '/readyz')).status === 200);

describe('an installation', () => {
  let api: ServiceProcess;
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-installation-'));
  const backupFile = join(folder, 'all.backup');
  const keysFile = join(folder, 'all.keys');
  const kubewright = (...args: string[]) =>
    run(process.execPath, [CLI, ...args], { env: { PATH: process.env['PATH'], HOME: process.env['HOME'] } });

  beforeAll(async () => {
    api = await startServiceProcess(EMBEDDED);
    await ready(api);
    const { stdout: key } = await run('sh', [
      '-c',
      'd=$(mktemp -d) && ssh-keygen -q -t ed25519 -N "" -f "$d/k" && cat "$d/k" && rm -r "$d"',
    ]);
    const saved = await json(api, 'PUT', '/credentials/login', { kind: 'key', privateKey: key, clusters: ['*'] });
    expect(saved.status, JSON.stringify(saved.body)).toBeLessThan(300);
    const posted = await json(api, 'POST', '/clusters', spec('demo', '192.0.2.1'));
    expect(posted.status, JSON.stringify(posted.body)).toBe(202);
    for (let n = 0; n < 20; n += 1) {
      expect((await json(api, 'POST', '/clusters/demo/operations', { kind: 'build' })).status).toBe(202);
    }
  });
  afterAll(async () => {
    await api?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is backed up while an operation runs and 20 wait, keys apart', async () => {
    await kubewright('backup', backupFile, '--keys', keysFile, '--data', api.dataDir);
    expect(existsSync(backupFile)).toBe(true);
    await expect(kubewright('backup', backupFile, '--data', api.dataDir)).rejects.toMatchObject({ code: 1 });
  });

  it('whose Temporal lost its data closes what cannot end, seals it, and starts again', async () => {
    await api.stop();
    for (const name of readdirSync(api.dataDir)) {
      if (name.startsWith('temporal')) rmSync(join(api.dataDir, name), { recursive: true });
    }
    await api.start();
    await ready(api);
    await until(async () => (await operations(api, 'demo')).every(({ state }) => state === 'lost'));
    const all = await operations(api, 'demo');
    expect(all).toHaveLength(21);
    for (const { operationId } of all) {
      const path = `/clusters/demo/history/export?operation=${operationId}`;
      await until(async () => (await api.call('GET', path)).status === 200);
    }
    const again = await json(api, 'POST', '/clusters/demo/operations', { kind: 'build' });
    expect(again.status, JSON.stringify(again.body)).toBe(202);
    const fresh = String(again.body['operation']);
    // Ids grow on: the fence on the hosts relies on it.
    expect(all.every(({ operationId }) => operationId < fresh)).toBe(true);
    await until(async () => {
      const mine = (await operations(api, 'demo')).find(({ operationId }) => operationId === fresh);
      return mine !== undefined && ['running', 'blocked'].includes(mine.state);
    });
  });

  it('is restored elsewhere: tokens, credentials and records are there, and what ran is lost', async () => {
    await api.stop();
    rmSync(api.dataDir, { recursive: true });
    await kubewright('restore', backupFile, '--keys', keysFile, '--data', api.dataDir);
    await expect(kubewright('restore', backupFile, '--data', api.dataDir)).rejects.toMatchObject({ code: 1 });
    await api.start();
    await ready(api);
    await until(async () => (await operations(api, 'demo')).every(({ state }) => state === 'lost'));
    expect(await operations(api, 'demo')).toHaveLength(21);
    expect(JSON.stringify((await json(api, 'GET', '/credentials')).body)).toContain('login');
    expect((await json(api, 'POST', '/clusters/demo/operations', { kind: 'check' })).status).toBe(202);
    await api.stop();
    const { stdout } = await kubewright('audit', 'check', '--data', api.dataDir);
    expect(stdout).toContain('unchanged');
  });

  it('without its secret.key does not start', async () => {
    rmSync(join(api.dataDir, 'secret.key'));
    await expect(api.start()).rejects.toThrow(/SECRET_KEY_LOST|the key that decrypts them is missing/);
    expect(existsSync(join(api.dataDir, 'secret.key'))).toBe(false);
  });
});
