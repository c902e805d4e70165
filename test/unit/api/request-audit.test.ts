import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { LIMITS } from '../../../contracts/limits.ts';
import type { JournalEntry } from '../../../contracts/record.ts';
import { type CallOptions, type Json, spec, type TestApi, testApi } from './support.ts';

/** Whatever is asked of the API that changes something, or reads what must not be read unnoticed, leaves a record. */

type Method = 'POST' | 'PUT' | 'PATCH' | 'DELETE';

let api: TestApi;
let paths: Record<string, Record<string, { requestBody?: unknown }>>;
beforeAll(async () => {
  api = await testApi();
  expect((await api.call('POST', '/clusters', { body: spec() })).status).toBe(202);
  paths = (await api.call('GET', '/docs/json')).body['paths'] as typeof paths;
});
afterAll(() => api.close());

/** The cluster demo is there; nothing else that an address names is. */
const addressOf = (path: string) =>
  path
    .replace('{name}', path.startsWith('/clusters') ? 'demo' : 'some')
    .replace('{id}', path.startsWith('/tokens') ? '01abc' : 'op-9')
    .replace('{host}', 'cp-1');
const changing = () =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method]) => !['get', 'head', 'options'].includes(method))
      // A login has no caller before it: see sessions.test.ts.
      .filter(([method]) => path !== '/sessions' || method !== 'post')
      .map(([method, { requestBody }]) => ({
        method: method.toUpperCase() as Method,
        path,
        takesBody: requestBody !== undefined,
      })),
  );

/** The record of one request, wherever it is: of the cluster, or of the installation. */
async function recordOf(requestId: string, clusters: readonly string[] = ['demo', '']): Promise<JournalEntry[]> {
  const lists = clusters.map((cluster) =>
    api.store.journal.list({ cluster, order: 'newest', limit: 50 }).then(({ items }) => items),
  );
  return (await Promise.all(lists)).flat().filter((each) => each.requestId === requestId);
}

let asked = 0;
/** Asks, and returns the answer with the records that it left. */
async function ask(method: Method | 'GET' | 'HEAD', url: string, more: CallOptions = {}) {
  const requestId = `trail-${(asked += 1)}`;
  const answer = await api.call(method, url, { ...more, headers: { ...more.headers, 'x-request-id': requestId } });
  return { ...answer, records: await recordOf(requestId) };
}

const BAD: readonly { what: string; status: readonly number[]; more: CallOptions; onlyWithBody?: boolean }[] = [
  { what: 'no token', status: [401, 429], more: { as: null } },
  { what: 'a wrong token', status: [401, 429], more: { as: null, headers: { authorization: 'Bearer kw_wrong' } } },
  { what: 'malformed JSON', status: [400], more: { body: '{"mode":' }, onlyWithBody: true },
  {
    what: 'a body of another shape',
    status: [200, 400, 404, 422],
    more: { body: { nobody: ['knows', 'this'] } },
    onlyWithBody: true,
  },
  {
    what: 'a body too large',
    status: [413, 400],
    more: { body: `"${'x'.repeat(LIMITS.requestBodyBytes + 1)}"` },
    onlyWithBody: true,
  },
  {
    what: 'another media type',
    status: [415],
    more: { body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
  },
];

describe('every route that changes something', () => {
  it('is among those that are walked here', () => {
    expect(changing().length).toBeGreaterThanOrEqual(18);
  });

  it.each(BAD)('leaves a record of $what', async ({ what, status, more, onlyWithBody = false }) => {
    for (const { method, path, takesBody } of changing()) {
      if (onlyWithBody && !takesBody) continue;
      const where = `${method} ${path} with ${what}`;
      const answer = await ask(method, addressOf(path), more);
      expect(status, `${where}: ${answer.text}`).toContain(answer.status);
      expect(answer.records, where).toMatchObject([
        {
          actor: more.as === null ? 'anonymous' : 'admin',
          // A request about a cluster is in the history of that cluster, for every caller.
          cluster: path.startsWith('/clusters/{name}') ? 'demo' : '',
          exitCode: answer.status,
          ...(answer.status < 400 ? { result: 'ok' } : { result: 'refused', error: answer.body['code'] }),
        },
      ]);
    }
  });

  it('leaves a record of a caller without the role', async () => {
    let refused = 0;
    for (const { method, path } of changing()) {
      const where = `${method} ${path}`;
      const answer = await ask(method, addressOf(path), { as: 'viewer', body: {} });
      const [record, ...more] = answer.records.filter(({ kind }) => kind !== 'issue');
      expect(record, where).toMatchObject({ actor: 'viewer', exitCode: answer.status });
      expect(more, where).toEqual([]);
      if (answer.status === 403) refused += 1;
      // Viewers may ask for a kubeconfig and a login of their own, and end their own session.
      else expect(['/clusters/{name}/kubeconfig', '/imports', '/login-codes', '/sessions/current']).toContain(path);
    }
    expect(refused).toBe(changing().length - 4);
  });
});

describe('what reads secrets, or the names of secrets', () => {
  it.each([
    ['GET', '/clusters/demo/kubeconfig', 'admin'],
    ['HEAD', '/clusters/demo/kubeconfig', 'admin'],
    ['POST', '/clusters/demo/kubeconfig', 'viewer'],
    ['GET', '/credentials', 'operator'],
    ['POST', '/codec/decode', 'operator'],
    ['GET', '/clusters/demo/history/export?operation=op-1', 'operator'],
    ['GET', '/tokens', 'admin'],
  ] as const)('%s %s is for the role %s at least, and leaves a record either way', async (method, url, least) => {
    const rank = ['viewer', 'operator', 'admin'] as const;
    for (const as of rank) {
      const answer = await ask(method, url, { as, ...(method === 'POST' ? { body: {} } : {}) });
      expect(answer.status === 403, `${as}: ${answer.text}`).toBe(rank.indexOf(as) < rank.indexOf(least));
      const [record] = answer.records.filter(({ kind }) => kind === 'request');
      expect(record, as).toMatchObject({ actor: as, exitCode: answer.status });
    }
    const answer = await ask(method, url, { as: null });
    expect([401, 429]).toContain(answer.status);
    expect(answer.records).toMatchObject([{ actor: 'anonymous', exitCode: answer.status }]);
  });
});

describe('what is given out', () => {
  it('a kubeconfig: to whom, in which group, until when, by which certificate', async () => {
    const answer = await ask('POST', '/clusters/demo/kubeconfig', {
      body: { name: 'alice', group: 'kubewright:editors', expiresIn: '2h' },
    });
    expect(answer.status).toBe(200);
    const [issued] = answer.records.filter(({ kind }) => kind === 'issue');
    expect(issued).toMatchObject({
      actor: 'admin',
      cluster: 'demo',
      result: 'ok',
      argv: ['kubeconfig', 'person=alice', 'group=kubewright:editors', 'serial=0a', 'expires=then'],
      changes: [{ resource: 'kubeconfig:0a', action: 'create', detail: 'for alice in kubewright:editors until then' }],
    });
    const page = await api.call('GET', '/clusters/demo/history?kind=issue&changed=true&actor=admin&order=newest', {
      as: 'viewer',
    });
    expect((page.body['items'] as Json[]).slice(0, 1)).toMatchObject([
      { id: issued!.id, argv: issued!.argv, requestId: issued!.requestId },
    ]);
    for (const format of ['ndjson', 'csv']) {
      const { text } = await api.call('GET', `/clusters/demo/history?kind=issue&format=${format}`);
      expect(text).toContain('person=alice');
      expect(text).toContain('serial=0a');
    }
  });

  it('is not given when it cannot be written down', async () => {
    const record = vi.spyOn(api.store.journal, 'record').mockRejectedValueOnce(new Error('the disk is full'));
    const answer = await api.call('POST', '/clusters/demo/kubeconfig', { body: {} });
    record.mockRestore();
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain('kubewright:viewers');
  });

  it('a token: its name, role, clusters and end, and never its text', async () => {
    const made = await ask('POST', '/tokens', { body: { name: 'ci', role: 'operator', clusters: ['demo'] } });
    expect(made.status).toBe(201);
    const [issued] = made.records.filter(({ kind }) => kind === 'issue');
    expect(issued).toMatchObject({
      argv: ['token', 'name=ci', 'role=operator', `id=${String(made.body['id'])}`, 'clusters=demo', 'expires=never'],
      changes: [{ resource: `token:${String(made.body['id'])}`, action: 'create' }],
    });
    expect(JSON.stringify(made.records)).not.toContain(made.body['token']);
  });
});

it.each(['anonymous', 'policy', 'kubewright'])('no token may have the reserved name %s', async (name) => {
  const made = await api.call('POST', '/tokens', { body: { name, role: 'viewer' } });
  expect(made.status).toBe(400);
  expect(made.text).toContain('is reserved');
});

describe('requests that go nowhere', () => {
  it.each([
    ['PUT', '/clusters/demo', 405],
    ['POST', '/nowhere', 404],
    ['POST', '/clusters/demo/nowhere', 404],
    ['POST', '/clusters/%zz/pause', 400],
    ['DELETE', `/clusters/${'x'.repeat(300)}`, 400],
  ] as const)('%s %s is %i, and has its record', async (method, url, status) => {
    const answer = await ask(method, url);
    expect(answer.status).toBe(status);
    expect(answer.records).toMatchObject([{ exitCode: status, result: 'refused' }]);
  });

  it('nor does one with an incomplete body', async () => {
    const url = new URL(await api.app.listen({ host: '127.0.0.1', port: 0 }));
    const socket = connect(Number(url.port), url.hostname);
    const head = [
      'POST /clusters/demo/pause HTTP/1.1',
      'host: x',
      `authorization: Bearer ${api.token.admin}`,
      ...['x-request-id: cut-off', 'content-type: application/json', 'content-length: 100'],
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n{"mode"`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await expect
      .poll(() => recordOf('cut-off'))
      .toMatchObject([{ actor: 'admin', cluster: 'demo', result: 'refused' }]);
  });

  it('callers without a token leave no record under a cluster that does not exist', async () => {
    const answer = await ask('POST', '/clusters/invented/pause', { as: null });
    expect(answer.records).toMatchObject([{ cluster: '' }]);
    expect((await api.call('GET', '/clusters/invented/history')).status).toBe(404);
  });
});

describe('of a flood', () => {
  let flood: TestApi;
  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    flood = await testApi();
    return async () => {
      vi.useRealTimers();
      await flood.close();
    };
  });
  const ask400 = async () => {
    for (let n = 0; n < 400; n += 1) await flood.call('POST', '/clusters', { as: null });
  };
  const written = async () => {
    const { items } = await flood.store.journal.list({ cluster: '', actor: 'anonymous', limit: 1000 });
    const [counts, each] = [true, false].map((is) => items.filter(({ argv }) => (argv[0] === 'refused') === is));
    return { counts: counts!.map(({ argv }) => argv[1]), each: each!.length };
  };

  it('each caller has so many records, and the number of the rest a minute later', async () => {
    await ask400();
    expect(await written()).toEqual({ counts: [], each: 300 });
    vi.setSystemTime(Date.now() + 61_000);
    // By then it may have some more records.
    await flood.call('POST', '/clusters', { as: null });
    expect(await written()).toEqual({ counts: ['100 more requests'], each: 301 });
  });

  it('the number is not lost when it cannot be written', async () => {
    await ask400();
    vi.setSystemTime(Date.now() + 61_000);
    vi.spyOn(flood.store.journal, 'record').mockRejectedValueOnce(new Error('the disk is full'));
    expect((await flood.call('POST', '/clusters', { as: null })).status).toBe(500);
    vi.setSystemTime(Date.now() + 61_000);
    await flood.call('POST', '/clusters', { as: null });
    expect(await written()).toEqual({ counts: ['100 more requests'], each: 301 });
  });
});
