import { generateKeyPairSync } from 'node:crypto';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { spec, type TestApi, testApi } from './support.ts';

let api: TestApi;
beforeEach(async () => {
  api = await testApi();
  return () => api.close();
});

describe('tokens', () => {
  it('are needed everywhere but on health and docs', async () => {
    for (const url of [
      '/clusters',
      '/clusters/x',
      '/phases',
      '/credentials',
      '/tokens',
      '/clusters/x/events',
      '/nowhere',
    ]) {
      const answer = await api.call('GET', url, { as: null });
      expect(answer, url).toMatchObject({ status: 401, body: { code: 'UNAUTHENTICATED' } });
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
    }
    for (const url of ['/healthz', '/readyz', '/docs', '/docs/json']) {
      expect((await api.call('GET', url, { as: null })).status, url).toBe(200);
    }
  });

  it('are checked before the body is read', async () => {
    const answer = await api.call('POST', '/clusters', { as: null, body: '{', headers: { 'content-type': 'text/x' } });
    expect(answer.status).toBe(401);
  });

  it.each(['Basic abc', 'Bearer', 'Bearer ', 'Bearer kw_wrong', `Bearer ${'x'.repeat(5000)}`])('%s', async (text) => {
    const answer = await api.call('GET', '/clusters', { as: null, headers: { authorization: text } });
    expect(answer.status).toBe(401);
  });

  it('have roles', async () => {
    const status = async (as: 'viewer' | 'operator' | 'admin', method: 'GET' | 'POST', url: string, body?: unknown) =>
      (await api.call(method, url, { as, ...(body === undefined ? {} : { body }) })).status;
    expect(await status('viewer', 'GET', '/clusters')).toBe(200);
    expect(await status('viewer', 'POST', '/clusters', spec())).toBe(403);
    expect(await status('operator', 'POST', '/clusters', spec())).toBe(202);
    expect(await status('operator', 'GET', '/tokens')).toBe(403);
    expect(await status('operator', 'GET', '/nowhere')).toBe(404);
    expect(await status('admin', 'GET', '/tokens')).toBe(200);
  });

  it('are made, listed without their text, expire and are revoked', async () => {
    const made = await api.call('POST', '/tokens', { body: { name: 'ci', role: 'viewer' } });
    expect(made.status).toBe(201);
    const authorization = `Bearer ${String(made.body['token'])}`;
    const use = () => api.call('GET', '/clusters', { as: null, headers: { authorization } });
    expect((await use()).status).toBe(200);
    expect((await api.call('GET', '/tokens')).text).not.toContain(String(made.body['token']));
    expect((await api.call('DELETE', `/tokens/${String(made.body['id'])}`)).status).toBe(204);
    expect((await use()).status).toBe(401);
    expect((await api.call('DELETE', `/tokens/${String(made.body['id'])}`)).status).toBe(404);
    const old = await api.call('POST', '/tokens', {
      body: { name: 'old', role: 'viewer', expiresAt: '2020-01-01T00:00:00Z' },
    });
    const expired = await api.call('GET', '/clusters', {
      as: null,
      headers: { authorization: `Bearer ${String(old.body['token'])}` },
    });
    expect(expired.status).toBe(401);
  });

  it('failed logins are rate limited, and do not lock out callers with a valid token', async () => {
    const guess = () => api.call('GET', '/clusters', { as: null, headers: { authorization: 'Bearer kw_guess' } });
    const statuses = [];
    for (let n = 0; n < 40; n += 1) statuses.push((await guess()).status);
    expect(statuses[0]).toBe(401);
    expect(statuses.at(-1)).toBe(429);
    expect(Number((await guess()).headers['retry-after'])).toBeGreaterThan(0);
    expect((await api.call('GET', '/clusters')).status).toBe(200);
  });
});

it('credentials go in and never come out', async () => {
  const { privateKey: pair } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const privateKey = String(pair.export({ type: 'sec1', format: 'pem' }));
  const body = { kind: 'key', privateKey };
  expect((await api.call('PUT', '/credentials/lab', { body })).status).toBe(200);
  const list = await api.call('GET', '/credentials');
  expect(list.body).toMatchObject({ items: [{ name: 'lab' }] });
  expect(list.text).not.toContain(privateKey.split('\n')[1]);
  const broken = { kind: 'key', privateKey: '-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n' };
  const refused = await api.call('PUT', '/credentials/lab', { body: broken });
  expect(refused).toMatchObject({ status: 422, body: { code: 'SSH_CREDENTIAL_UNUSABLE' } });
  expect(refused.text).not.toContain('c2VjcmV0');
  const pkcs8 = String(pair.export({ type: 'pkcs8', format: 'pem' })).replaceAll('\n', '\r\n');
  expect((await api.call('PUT', '/credentials/lab', { body: { kind: 'key', privateKey: pkcs8 } })).status).toBe(200);
  const nothing = await api.call('PUT', '/credentials/lab', { body: { kind: 'key', privateKey: 'ssh-rsa AAAA x' } });
  expect(nothing).toMatchObject({ status: 422, body: { code: 'SSH_CREDENTIAL_UNUSABLE' } });
  expect(nothing.text).toContain('it is a public key; the private one is in the file without .pub');
  expect((await api.call('PUT', '/credentials/A_b', { body })).status).toBe(400);
  expect((await api.call('DELETE', '/credentials/lab')).status).toBe(204);
  expect((await api.call('DELETE', '/credentials/lab')).status).toBe(404);
});

it('unknown routes are 404, unknown methods 405 with Allow', async () => {
  expect(await api.call('GET', '/nowhere')).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
  const answer = await api.call('DELETE', '/clusters');
  expect(answer).toMatchObject({ status: 405, body: { code: 'METHOD_NOT_ALLOWED' } });
  expect(answer.headers['allow']).toBe('GET, HEAD, POST');
  expect((await api.call('PUT', '/clusters/demo/operations/x')).status).toBe(405);
  // A HEAD of the event stream would never end.
  expect((await api.call('HEAD', '/clusters/demo/events')).status).toBe(405);
});

it('an unknown operation is 404 for every action, also while another runs', async () => {
  for (const path of ['pause', 'resume', 'cancel', 'hosts/cp-1/retry']) {
    expect(await api.call('POST', `/clusters/nobody/${path}`)).toMatchObject({
      status: 404,
      body: { detail: 'there is no cluster named nobody' },
    });
  }
  expect((await api.call('GET', '/clusters/nobody/operations')).status).toBe(404);
});

it('a misspelled query is refused, not ignored', async () => {
  expect(await api.call('POST', '/clusters?dryrun=true', { body: spec() })).toMatchObject({
    status: 400,
    body: { code: 'BAD_REQUEST', detail: 'query unknown key `dryrun`; did you mean `dryRun`?' },
  });
  expect((await api.call('POST', '/clusters/demo/operations?dryRun=true', { body: { kind: 'build' } })).status).toBe(
    400,
  );
  expect(api.temporal.submitted).toEqual([]);
});

it.each(['/clusters/%ff', '/clusters/%', `/clusters/${'a'.repeat(300)}`])('%s is a problem document', async (path) => {
  const answer = await api.call('GET', path);
  expect(answer).toMatchObject({ status: 400, body: { code: 'BAD_REQUEST', hint: expect.any(String) } });
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
});

it('request ids are taken when they are harmless', async () => {
  const id = async (given: string) =>
    (await api.call('GET', '/healthz', { headers: { 'x-request-id': given } })).headers['x-request-id'];
  expect(await id('abc-1')).toBe('abc-1');
  expect(await id('a b\u0009')).not.toContain(' ');
});

it('readiness names the failed checks', async () => {
  expect((await api.call('GET', '/readyz')).body).toEqual({
    ...{ status: 'ready', store: 'ok', temporal: 'ok', worker: 'ok', disk: 'ok' },
    causes: {},
  });
  api.temporal.down = true;
  expect(await api.call('GET', '/readyz', { as: null })).toMatchObject({
    status: 503,
    body: { status: 'not-ready', store: 'ok', temporal: 'unreachable' },
  });
  expect((await api.call('GET', '/healthz')).status).toBe(200);
});

it('phases carry the JSON schema of their options', async () => {
  const { body } = await api.call('GET', '/phases', { as: 'viewer' });
  expect(body).toMatchObject({
    items: [
      { name: 'prepare', needs: [], expectedMs: 100 },
      {
        name: 'flannel',
        hosts: 'nodes',
        options: { type: 'object', properties: { backend: { enum: ['vxlan', 'host-gw'] } } },
      },
      { name: 'master', hosts: 'control-plane' },
      { name: 'host-names', hosts: 'all' },
    ],
  });
});

it('internal errors are not shown to callers', async () => {
  const thrower = () => {
    throw new Error('secret path /x/y');
  };
  const broken = await testApi({ smokeImage: thrower });
  await broken.call('POST', '/clusters', { body: spec() });
  const answer = await broken.call('GET', '/clusters/demo');
  expect(answer).toMatchObject({ status: 500, body: { code: 'INTERNAL' } });
  expect(answer.text).not.toContain('secret path');
  await broken.close();
});

describe('events', () => {
  let url: string;
  beforeEach(async () => {
    await api.call('POST', '/clusters', { body: spec() });
    url = await api.app.listen({ port: 0, host: '127.0.0.1' });
  });
  async function read(path: string, until: (text: string) => boolean, headers: Record<string, string> = {}) {
    const stop = new AbortController();
    const response = await fetch(`${url}${path}`, {
      headers: { authorization: `Bearer ${api.token.viewer}`, accept: 'text/event-stream', ...headers },
      signal: stop.signal,
    });
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (until(text)) break;
    }
    stop.abort();
    return text;
  }

  it('follow a cluster, and go on where they were cut', async () => {
    const first = await read('/clusters/demo/events?after=', (text) => text.includes('"queued"'));
    const id = /id: (E[0-9]{15})/.exec(first)![1]!;
    const status = (await api.store.projections.operation('demo', 'op-1'))!;
    await api.store.projections.saveOperation({ ...status, state: 'running' });
    const live = read('/clusters/demo/events', (text) => text.includes('"succeeded"'), { 'last-event-id': id });
    await api.store.projections.saveOperation({ ...status, state: 'succeeded' });
    const text = await live;
    expect(text).toContain('"running"');
    expect(text).not.toContain('"queued"');
    expect(text).toMatch(/event: operation/);
    expect((await api.call('GET', '/clusters/absent/events')).status).toBe(404);
    // Who asks for anything else gets events all the same: there is nothing else here.
    for (const accept of ['application/json', 'text/html', 'text/event-stream;q=0']) {
      expect(await read('/clusters/demo/events?after=', (all) => all.includes('ready'), { accept })).toContain('ready');
    }
  });

  it('follow all clusters, those that are named, and no others than the token may access', async () => {
    const status = (await api.store.projections.operation('demo', 'op-1'))!;
    for (const cluster of ['one', 'two']) await api.store.projections.saveOperation({ ...status, cluster });
    const clustersOf = (text: string) => [...text.matchAll(/"cluster":"(\w+)"/g)].map(([, cluster]) => cluster);
    const whole = (text: string) => text.includes('"cluster":"two"');
    expect(clustersOf(await read('/events?after=', whole))).toEqual(['demo', 'one', 'two']);
    expect(clustersOf(await read('/events?after=&cluster=one&cluster=two&type=operation', whole))).toEqual([
      'one',
      'two',
    ]);
    const { body } = await api.call('POST', '/tokens', {
      body: { name: 'a', role: 'viewer', clusters: ['two', 'one'] },
    });
    const authorization = `Bearer ${String((body as { token: string }).token)}`;
    expect(clustersOf(await read('/events?after=', whole, { authorization }))).toEqual(['one', 'two']);
    for (const query of ['cluster=absent', 'cluster=demo']) {
      const answer = await fetch(`${url}/events?${query}`, { headers: { authorization } });
      expect([answer.status, await answer.json()], query).toMatchObject([404, { code: 'NOT_FOUND' }]);
    }
    for (const query of ['type=none', 'cluster=A_B', 'after=x', 'other=1']) {
      expect((await api.call('GET', `/events?${query}`)).status, query).toBe(400);
    }
  });

  it('say that some are missed behind an id that is gone, or that this database never had', async () => {
    const status = (await api.store.projections.operation('demo', 'op-1'))!;
    await api.store.projections.saveOperation({ ...status, cluster: 'gone', state: 'running' });
    const last = await api.store.events.last();
    const missed = (id: string) => `event: missed\ndata: {"after":"${id}"}`;
    const ready = (text: string) => text.includes('event: ready');
    const after = (id: string) => read(`/events?after=${id}`, ready);
    expect(await after(last)).not.toContain('event: missed');
    const ahead = 'E999999999999999';
    expect(await after(ahead)).toContain(`id: ${last}\n${missed(ahead)}`);
    vi.spyOn(api.store.events, 'removedTo').mockResolvedValue(last);
    expect(await after('E000000000000001')).toContain(missed('E000000000000001'));
    expect(await after('01KABCDEFGHJKMNPQRSTVWXYZ0')).toContain('event: missed');
    expect(await after('')).not.toContain('event: missed');
    expect(await after(last)).not.toContain('event: missed');
  });
});
