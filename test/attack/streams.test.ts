import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Store } from '../../store/index.ts';
import { seedCommand, seedOperation, specText } from '../support/seeded.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

/** Issue 9, B3: one token has a bounded part of the service, and none of it once it is revoked. */

const STREAMS_PER_TOKEN = 4;
const STREAMS = 6;
const DRY_RUNS = 2;
const RECORDS_PER_MINUTE = 200;
const REQUESTS_PER_MINUTE = 600;

let service: ServiceProcess;
let store: Store;
let writing = true;
let writer: Promise<void>;
beforeAll(async () => {
  service = await startServiceProcess({
    // Operators may send the specs of these tests.
    KUBEWRIGHT_LOGIN_PATHS: '/root',
    KUBEWRIGHT_LIMIT_STREAMS_PER_TOKEN: String(STREAMS_PER_TOKEN),
    KUBEWRIGHT_LIMIT_STREAMS: String(STREAMS),
    KUBEWRIGHT_LIMIT_DRY_RUNS: String(DRY_RUNS),
    KUBEWRIGHT_LIMIT_RECORDS_PER_MINUTE: String(RECORDS_PER_MINUTE),
    KUBEWRIGHT_LIMIT_REQUESTS_PER_MINUTE: String(REQUESTS_PER_MINUTE),
  });
  store = await service.openStore();
  await seedOperation(store, 'demo');
  // Another process writes all the time, as a worker does: the streams never rest.
  writer = (async () => {
    for (let n = 0; writing; n += 1) {
      await seedCommand(store, 'demo', ['true', String(n)]);
      if (n % 10 === 0) await seedOperation(store, 'demo', { version: n });
      await sleep(2);
    }
  })();
});
afterAll(async () => {
  await store.close();
  await service.close();
});

const call = (method: string, path: string, token: string, body?: string) =>
  fetch(`${service.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body }),
  });
const tokenOf = async (role: 'viewer' | 'operator' | 'admin', more: object = {}) => {
  const answer = await call('POST', '/tokens', service.adminToken, JSON.stringify({ name: role, role, ...more }));
  expect(answer.status).toBe(201);
  return (await answer.json()) as { token: string; id: string };
};

interface Followed {
  status: number;
  body: string;
  headers: Headers;
  lines(): number;
  ended(): boolean;
  close(): void;
}
/** Follows until the other side ends it. */
async function follow(path: string, token: string, accept = '*/*'): Promise<Followed> {
  const aborting = new AbortController();
  const answer = await fetch(`${service.url}${path}`, {
    headers: { authorization: `Bearer ${token}`, accept },
    signal: aborting.signal,
  });
  let lines = 0;
  let ended = false;
  const reading = async () => {
    const decoder = new TextDecoder();
    for await (const chunk of answer.body!) lines += decoder.decode(chunk, { stream: true }).split('\n').length - 1;
  };
  const body = answer.status === 200 ? '' : await answer.text();
  if (answer.status === 200) {
    void reading()
      .catch(() => undefined)
      .finally(() => {
        ended = true;
      });
  }
  const { status, headers } = answer;
  return { status, body, headers, lines: () => lines, ended: () => ended, close: () => aborting.abort() };
}

const KINDS = [
  ['a followed history', '/clusters/demo/history?follow=true&after=0', '*/*'],
  ['a history as events', '/clusters/demo/history?after=0', 'text/event-stream'],
  ['live events', '/clusters/demo/events?after=', '*/*'],
  ['live events of all clusters', '/events?after=', '*/*'],
] as const;

describe('a stream ends with its token:', () => {
  afterAll(async () => {
    writing = false;
    await writer;
  });

  describe.each(KINDS)('%s', (_what, path, accept) => {
    const opened = async (more: object = {}) => {
      const holder = await tokenOf('viewer', more);
      const stream = await follow(path, holder.token, accept);
      await expect.poll(() => stream.lines()).toBeGreaterThan(20);
      return { ...holder, stream };
    };

    it('revoked: nothing comes after the 204', async () => {
      const { id, stream } = await opened();
      expect((await call('DELETE', `/tokens/${id}`, service.adminToken)).status).toBe(204);
      const before = stream.lines();
      await expect.poll(() => stream.ended()).toBe(true);
      // What was on its way through the kernel when the connection was cut.
      expect(stream.lines() - before).toBeLessThan(20);
    });

    it('revoked by another process', async () => {
      const { id, stream } = await opened();
      expect(await store.tokens.revoke(id)).toBe(true);
      await expect.poll(() => stream.ended()).toBe(true);
    });

    it('expired', async () => {
      const { stream } = await opened({ expiresAt: new Date(Date.now() + 3_000).toISOString() });
      await expect.poll(() => stream.ended()).toBe(true);
    });

    it('restricted to other clusters', async () => {
      const { id, stream } = await opened();
      const database = new DatabaseSync(join(service.dataDir, 'kubewright.db'), { timeout: 5_000 });
      database.prepare('update tokens set clusters = ? where id = ?').run('["other"]', id);
      database.close();
      await expect.poll(() => stream.ended()).toBe(true);
    });

    it('and continues while another token is revoked', async () => {
      const other = await tokenOf('viewer');
      const { stream } = await opened();
      expect((await call('DELETE', `/tokens/${other.id}`, service.adminToken)).status).toBe(204);
      const before = stream.lines();
      await expect.poll(() => stream.lines()).toBeGreaterThan(before + 20);
      stream.close();
    });
  });
});

it('open streams are counted, per token and for the installation, and come free again', async () => {
  const path = '/clusters/demo/history?follow=true';
  const [first, second] = [await tokenOf('viewer'), await tokenOf('viewer')];
  const streams: Followed[] = [];
  const refused = ({ status, body, headers }: Followed) => {
    expect(status).toBe(429);
    expect(JSON.parse(body)).toMatchObject({ code: 'RATE_LIMITED' });
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  };
  for (let n = 0; n < STREAMS_PER_TOKEN; n += 1) streams.push(await follow(path, first.token));
  refused(await follow(path, first.token));
  refused(await follow('/clusters/demo/events', first.token));
  for (let n = STREAMS_PER_TOKEN; n < STREAMS; n += 1) streams.push(await follow(path, second.token));
  refused(await follow(path, second.token));
  expect(streams.map(({ status }) => status)).toEqual(Array(STREAMS).fill(200));
  for (const stream of streams) stream.close();
  await expect
    .poll(async () => {
      const stream = await follow(path, first.token);
      stream.close();
      return stream.status;
    })
    .toBe(200);
});

it('a viewer begins no trails of clusters that are not there, and leaves a bounded number of records', async () => {
  const { token, id } = await tokenOf('viewer');
  const statuses = new Map<number, number>();
  for (let from = 0; from < 1_000; from += 25) {
    const asked = Array.from({ length: 25 }, (_, n) =>
      call('POST', `/clusters/ghost-${from + n}/kubeconfig`, token, '{}'),
    );
    for (const { status } of await Promise.all(asked)) statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  const database = new DatabaseSync(join(service.dataDir, 'kubewright.db'), { readOnly: true, timeout: 5_000 });
  const { records } = database.prepare('select count(*) as records from journal where actor_id = ?').get(id) as {
    records: number;
  };
  const { chains } = database.prepare("select count(*) as chains from chains where id like 'cluster/ghost%'").get() as {
    chains: number;
  };
  database.close();
  process.stdout.write(
    `B3: 1,000 requests of a viewer: ${JSON.stringify([...statuses])}, ${records} records, ${chains} chains\n`,
  );
  expect(chains).toBe(0);
  expect(records).toBeGreaterThan(0);
  expect(records).toBeLessThan(RECORDS_PER_MINUTE / 2);
  expect(statuses.get(429)).toBeGreaterThan(500);
});

it('an operator begins a bounded number of trails with specs of clusters that never come to be', async () => {
  const { token } = await tokenOf('operator');
  const asked = Array.from({ length: 100 }, (_, n) => call('POST', '/clusters', token, specText(`never-${n}`)));
  await Promise.all(asked);
  const database = new DatabaseSync(join(service.dataDir, 'kubewright.db'), { readOnly: true, timeout: 5_000 });
  const { chains } = database.prepare("select count(*) as chains from chains where id like 'cluster/never%'").get() as {
    chains: number;
  };
  database.close();
  expect(chains).toBeLessThanOrEqual(52);
});

it('requests are counted per token; nothing keeps an admin from pausing and cancelling', async () => {
  const flooding = await tokenOf('admin');
  const other = await tokenOf('admin');
  let last: Response | undefined;
  for (let from = 0; from < REQUESTS_PER_MINUTE * 2 && last?.status !== 429; from += 25) {
    const answers = await Promise.all(Array.from({ length: 25 }, () => call('GET', '/phases', flooding.token)));
    last = answers.find(({ status }) => status === 429);
  }
  expect(last?.status).toBe(429);
  expect(Number(last?.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await last?.json()).toMatchObject({ code: 'RATE_LIMITED' });
  expect((await call('GET', '/phases', other.token)).status).toBe(200);
  const [pause, cancel, ...resumes] = await Promise.all(
    ['pause', 'cancel', ...Array<string>(25).fill('resume')].map((command) =>
      call('POST', `/clusters/demo/${command}`, flooding.token, '{}'),
    ),
  );
  // Temporal is unreachable: the request was sent to it.
  expect([pause?.status, cancel?.status]).toEqual([503, 503]);
  expect(resumes.map(({ status }) => status)).toContain(429);
});

it('dry runs that have not ended are counted', async () => {
  const { token } = await tokenOf('operator');
  const ask = () => call('POST', '/clusters?dryRun=true', token, specText('dry'));
  // Temporal is unreachable: the request was sent to it.
  expect((await ask()).status).toBe(503);
  for (let n = 0; n < DRY_RUNS; n += 1) {
    const queuedAt = new Date().toISOString();
    await seedOperation(store, `dry-${n}`, { kind: 'check', mode: 'check', state: 'running', queuedAt });
  }
  for (const answer of [await ask(), await call('POST', '/clusters/demo/operations', token, '{"kind":"check"}')]) {
    expect(answer.status).toBe(429);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  }
  // Builds are no dry runs.
  expect((await call('POST', '/clusters/demo/operations', token, '{"kind":"build"}')).status).toBe(503);
  await seedOperation(store, 'dry-0', { kind: 'check', mode: 'check', state: 'succeeded' });
  expect((await ask()).status).toBe(503);
});
