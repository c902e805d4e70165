import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

/** Issue 9, E4: the store under stress, as callers of a real service see it. */

let tokens = 0;
const makeToken = (api: ServiceProcess) =>
  api.call('POST', '/tokens', { body: { name: `t-${++tokens}`, role: 'viewer' } });
const codes = (answers: { status: number; text: string }[]) =>
  answers.map(({ status, text }) => `${status} ${(JSON.parse(text) as { code?: string }).code ?? ''}`.trim());

/** Answers of /healthz while `work` goes on. */
async function healthDuring(api: ServiceProcess, work: Promise<unknown>): Promise<number> {
  let over = false;
  const ended = work.finally(() => {
    over = true;
  });
  let answers = 0;
  while (!over) {
    expect((await api.call('GET', '/healthz', { token: null })).status).toBe(200);
    if (!over) answers += 1;
    await sleep(20);
  }
  await ended;
  return answers;
}

describe('PostgreSQL with a session that is idle in a transaction', () => {
  let server: Postgres;
  let api: ServiceProcess;
  let idle: pg.Client;
  beforeAll(async () => {
    server = await startPostgres({ superuser: 'kubewright' });
    const url = `postgres://kubewright:${encodeURIComponent(server.superuser.password)}@127.0.0.1:${server.port}/postgres`;
    api = await startServiceProcess({
      KUBEWRIGHT_DATABASE_URL: url,
      KUBEWRIGHT_SECRET_KEY: Buffer.alloc(32, 1).toString('base64'),
    });
    idle = new pg.Client({ connectionString: url });
    await idle.connect();
  });
  afterAll(async () => {
    await idle?.end();
    await api?.close();
    await server?.stop();
  });

  it('12 requests that change something are refused with STORE_BUSY, reads are answered, and later requests succeed', async () => {
    expect((await makeToken(api)).status).toBe(201);
    await idle.query('begin');
    await idle.query(`select * from chains where id = '*' for update`);
    const writes = Promise.all(Array.from({ length: 12 }, () => makeToken(api)));
    expect((await api.call('GET', '/clusters')).status).toBe(200);
    expect(codes(await writes)).toEqual(Array.from({ length: 12 }, () => '503 STORE_BUSY'));
    await idle.query('rollback');
    expect((await makeToken(api)).status).toBe(201);
  });
});

describe('SQLite locked by another process', () => {
  let api: ServiceProcess;
  let other: DatabaseSync;
  beforeEach(async () => {
    api = await startServiceProcess();
    other = new DatabaseSync(join(api.dataDir, 'kubewright.db'));
  });
  afterEach(async () => {
    other.close();
    await api.close();
  });

  it('the service continues to answer, refuses writes, and later works again', async () => {
    other.exec('begin immediate');
    const writes = Promise.all(Array.from({ length: 12 }, () => makeToken(api)));
    // A blocked event loop would answer none before the writes have failed.
    expect(await healthDuring(api, writes)).toBeGreaterThan(5);
    expect(codes(await writes)).toEqual(Array.from({ length: 12 }, () => '503 STORE_BUSY'));
    const waiting = makeToken(api);
    await sleep(100);
    other.exec('rollback');
    expect((await waiting).status).toBe(201);
  });
});

describe('a full disk', () => {
  const before = process.env['TMPDIR'];
  let mount: string;
  let api: ServiceProcess;
  beforeAll(async () => {
    mount = mkdtempSync(join(tmpdir(), 'kubewright-full-'));
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', mount]);
    if (mounted.status !== 0) throw new Error(mounted.stderr.toString());
    // The data directory of the service is made below it.
    process.env['TMPDIR'] = mount;
    api = await startServiceProcess();
  });
  afterAll(async () => {
    await api?.close();
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
    spawnSync('umount', [mount]);
    rmSync(mount, { recursive: true, force: true });
  });

  it('is a problem document of its own for what must be written, and harms nothing', async () => {
    expect((await makeToken(api)).status).toBe(201);
    const ballast = join(mount, 'ballast');
    fill(ballast);
    // What is left in pages of the database's log may take one or two.
    const answers: string[] = [];
    for (let n = 0; n < 40 && !answers.includes('507 STORE_FULL'); n += 1) {
      answers.push(...codes([await api.call('POST', '/tokens', { body: { name: 'x'.repeat(40), role: 'viewer' } })]));
      fill(ballast, 'a');
    }
    expect(answers.filter((each) => each !== '201' && each !== '507 STORE_FULL')).toEqual([]);
    expect(answers).toContain('507 STORE_FULL');
    expect((await api.call('GET', '/clusters')).status).toBe(200);
    // Refused requests must be recorded as well.
    expect(codes([await api.call('POST', '/clusters', { token: null, body: {} })])).toEqual(['507 STORE_FULL']);
    rmSync(ballast);
    expect((await makeToken(api)).status).toBe(201);
  });
});

/** Write until nothing fits any more. */
function fill(file: string, flags: 'w' | 'a' = 'w'): void {
  const fd = openSync(file, flags);
  try {
    for (const size of [64 * 1024, 4096, 1]) {
      const block = Buffer.alloc(size, 1);
      try {
        while (writeSync(fd, block) === size);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
  } finally {
    closeSync(fd);
  }
}
