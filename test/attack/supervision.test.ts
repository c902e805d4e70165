import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { EXIT } from '../../contracts/exit-codes.ts';
import { isAlive, type ProcessId, processId } from '../../lab/processes.ts';
import { openStore } from '../../store/index.ts';
import { openKeyring } from '../../store/keyring.ts';
import { startTemporalServer } from '../../worker/temporal-server/start.ts';
import { startPostgres } from '../support/postgres.ts';
import { EMBEDDED, type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

/** Issue 9, E3: what dies is started again, and /readyz says meanwhile what is missing and why. */

interface Readyz {
  status: string;
  store: string;
  temporal: string;
  worker: string;
  disk: string;
  causes: Record<string, string>;
}
const OK = { store: 'ok', temporal: 'ok', worker: 'ok', disk: 'ok' };
/** A busy machine takes its time; the service's own limit is what the texts of the tests say. */
const SOON = { timeout: 90_000, interval: 100 };

let mount: string;
let service: ServiceProcess;

beforeAll(async () => {
  // A small file system of its own: a test fills it.
  mount = mkdtempSync(join(tmpdir(), 'kubewright-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=300m', 'kubewright-test', mount]);
  const dataDir = join(mount, 'data');
  mkdirSync(dataDir, { mode: 0o700 });
  service = await startServiceProcess({ ...EMBEDDED, KUBEWRIGHT_DATA: dataDir });
  await vi.waitFor(ready, SOON);
});
afterAll(async () => {
  await service?.close();
  execFileSync('umount', ['--lazy', mount]);
  rmSync(mount, { recursive: true, force: true });
});

async function readyz(): Promise<{ code: number; body: Readyz }> {
  // A bound on a hang, not on speed.
  const answer = await fetch(`${service.url}/readyz`, { signal: AbortSignal.timeout(30_000) });
  return { code: answer.status, body: (await answer.json()) as Readyz };
}

async function ready(): Promise<void> {
  const { code, body } = await readyz();
  expect({ code, ...body }).toEqual({ code: 200, status: 'ready', ...OK, causes: {} });
}

/** Waits until /readyz names a part; the sentences tell an anonymous caller nothing of our inside. */
async function named(part: keyof typeof OK, state: string): Promise<void> {
  await vi.waitFor(async () => {
    const { code, body } = await readyz();
    expect(code).toBe(503);
    expect(body).toMatchObject({ status: 'not-ready', [part]: state, causes: { [part]: expect.any(String) } });
    expect(JSON.stringify(body)).not.toMatch(/127\.0\.0\.1|\/tmp|sqlite|grpc|Error|[0-9a-f]{16}/i);
  }, SOON);
}

const pidIn = (file: string): number =>
  (JSON.parse(readFileSync(join(service.dataDir, file), 'utf8')) as { pid: number }).pid;
const workerPid = (): number => pidIn('service/worker/server.json');
const temporal = (): { pid: number; port: number } =>
  JSON.parse(readFileSync(join(service.dataDir, 'temporal/server.json'), 'utf8')) as { pid: number; port: number };

describe('the embedded service', () => {
  it('runs the worker in a process of its own', async () => {
    expect(workerPid()).not.toBe(service.pid);
    expect(await processId(workerPid())).not.toBeNull();
  });

  it('starts a killed Temporal again, at the same address and on the same database', async () => {
    const before = temporal();
    process.kill(before.pid, 'SIGKILL');
    // Not /readyz first: on an idle machine the next one answers before a probe sees that it was down.
    await vi.waitFor(() => expect(temporal().pid).not.toBe(before.pid), SOON);
    await vi.waitFor(ready, SOON);
    expect(temporal().port).toBe(before.port);
  });

  it('starts a killed worker again', async () => {
    const before = workerPid();
    process.kill(before, 'SIGKILL');
    await vi.waitFor(() => expect(workerPid()).not.toBe(before), SOON);
    await vi.waitFor(ready, SOON);
  });

  it('notices a worker that lives and does nothing', async () => {
    process.kill(workerPid(), 'SIGSTOP');
    try {
      await named('worker', 'missing');
    } finally {
      process.kill(workerPid(), 'SIGCONT');
    }
    await vi.waitFor(ready, SOON);
  });

  it('answers /readyz while Temporal hangs', async () => {
    const { pid } = temporal();
    process.kill(pid, 'SIGSTOP');
    try {
      await named('temporal', 'unreachable');
      const answers = await Promise.all(Array.from({ length: 50 }, () => readyz()));
      for (const { code } of answers) expect(code).toBe(503);
      expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await vi.waitFor(ready, SOON);
  });

  it('is not ready while its database takes no writes', async () => {
    const other = new DatabaseSync(join(service.dataDir, 'kubewright.db'));
    try {
      other.exec('pragma busy_timeout = 5000; begin immediate');
      await named('store', 'not-writable');
      other.exec('rollback');
    } finally {
      other.close();
    }
    await vi.waitFor(ready, SOON);
  });

  it('is not ready while the disk of its data is full', async () => {
    const ballast = join(mount, 'ballast');
    const { bavail, bsize } = statfsSync(mount);
    writeFileSync(ballast, Buffer.alloc(bavail * bsize - 4 * 1024 * 1024));
    try {
      await named('disk', 'full');
    } finally {
      rmSync(ballast);
    }
    await vi.waitFor(ready, SOON);
  });

  it('leaves nothing behind when it is killed, and starts again on its data', async () => {
    const left = (await Promise.all([workerPid(), temporal().pid].map((pid) => processId(pid)))) as ProcessId[];
    process.kill(service.pid, 'SIGKILL');
    await vi.waitFor(async () => {
      expect(await Promise.all(left.map((each) => isAlive(each)))).toEqual([false, false]);
    }, SOON);
    service = await startServiceProcess({ ...EMBEDDED, KUBEWRIGHT_DATA: service.dataDir });
    await vi.waitFor(ready, SOON);
  });

  it('ends with 69 when Temporal does not stay up, and takes the worker along', async () => {
    const marker = join(service.dataDir, 'temporal/versions.json');
    const made = readFileSync(marker, 'utf8');
    // A program that refuses this database: no start can succeed.
    writeFileSync(marker, JSON.stringify({ ...(JSON.parse(made) as object), server: '1.0.0' }));
    const worker = (await processId(workerPid()))!;
    process.kill(temporal().pid, 'SIGKILL');
    expect(await service.ended()).toBe(EXIT.temporalLost);
    expect(await isAlive(worker)).toBe(false);
    writeFileSync(marker, made);
  });
});

describe('an API on PostgreSQL', () => {
  it('reports a read-only database and a missing one differently', async () => {
    const postgres = await startPostgres();
    const { name, password } = postgres.superuser;
    const set = async (value: 'on' | 'off') => {
      await postgres.query(name, password, 'postgres', `alter system set default_transaction_read_only = ${value}`);
      await postgres.query(name, password, 'postgres', 'select pg_reload_conf()');
    };
    let stopped = false;
    const api = await startServiceProcess({
      KUBEWRIGHT_DATABASE_URL: `postgres://${name}:${encodeURIComponent(password)}@127.0.0.1:${postgres.port}/postgres`,
      KUBEWRIGHT_SECRET_KEY: randomBytes(32).toString('base64'),
    });
    const store = async () => {
      const body = (await (await fetch(`${api.url}/readyz`, { signal: AbortSignal.timeout(30_000) })).json()) as Readyz;
      expect(JSON.stringify(body)).not.toMatch(/127\.0\.0\.1|postgres/);
      return body.store;
    };
    try {
      await vi.waitFor(async () => expect(await store()).toBe('ok'), SOON);
      await set('on');
      await vi.waitFor(async () => expect(await store()).toBe('not-writable'), SOON);
      await set('off');
      await vi.waitFor(async () => expect(await store()).toBe('ok'), SOON);
      stopped = true;
      await postgres.stop();
      await vi.waitFor(async () => expect(await store()).toBe('unreachable'), SOON);
    } finally {
      await api.close();
      if (!stopped) await postgres.stop();
    }
  });
});

describe('a worker by itself', () => {
  let dataDir: string;
  beforeAll(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'kubewright-worker-'));
  });
  afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

  const startWorker = (env: Record<string, string>) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, '../../worker/main.ts')], {
      stdio: 'ignore',
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], KUBEWRIGHT_DATA: dataDir, ...env },
    });
    const ended = new Promise<number | string>((resolve) => {
      child.once('exit', (code, signal) => resolve(signal ?? code ?? -1));
    });
    return { child, ended };
  };

  it('exits with a code that names the cause for its supervisor', async () => {
    expect(await startWorker({ TEMPORAL_ADDRESS: 'no port' }).ended).toBe(EXIT.configuration);
    // The discard port has no listener.
    expect(await startWorker({ TEMPORAL_ADDRESS: '127.0.0.1:9' }).ended).toBe(EXIT.temporalLost);
  });

  it('continues when Temporal is reachable again', async () => {
    const first = await startTemporalServer({ dataDir, headless: true });
    const port = Number(first.address.split(':')[1]);
    const { child, ended } = startWorker({ TEMPORAL_ADDRESS: first.address });
    const store = await openStore({ dataDir, keyring: openKeyring(dataDir) });
    const state = async () => (await store.processes.list('worker'))[0];
    try {
      await vi.waitFor(async () => expect(await state()).toMatchObject({ state: 'working' }), SOON);
      const id = (await state())!.id;
      process.kill(first.pid, 'SIGKILL');
      await vi.waitFor(async () => expect(await state()).toMatchObject({ id, state: 'no-temporal' }), SOON);
      const again = await startTemporalServer({ dataDir, headless: true, port });
      await vi.waitFor(async () => expect(await state()).toMatchObject({ id, state: 'working' }), SOON);
      expect(child.exitCode).toBeNull();
      child.kill('SIGTERM');
      expect(await ended).toBe(EXIT.stopped);
      // It takes its row along: the API need not wait to miss it.
      expect(await state()).toBeUndefined();
      await again.close();
    } finally {
      child.kill('SIGKILL');
      await store.close();
    }
    expect(existsSync(join(dataDir, 'temporal'))).toBe(true);
  });
});
