import { defaultPayloadConverter } from '@temporalio/common';
import { beforeAll, describe, expect, it } from 'vitest';
import { payloadCodec } from '../../../codec/payload-codec.ts';
import { type Json, KUBECONFIG, spec, type TestApi, testApi } from './support.ts';

let api: TestApi;
/** Good for `mine` alone, with every right there. */
let limited: string;
const as = (token: string) => ({ as: null, headers: { authorization: `Bearer ${token}` } });

beforeAll(async () => {
  api = await testApi();
  limited = (await api.store.tokens.create('team-mine', 'admin', { clusters: ['mine'] })).token;
  for (const name of ['mine', 'demo']) {
    const made = await api.call('POST', '/clusters', { body: spec({}, undefined, { name }) });
    expect(made.status).toBe(202);
  }
  return () => api.close();
});

describe('a token of some clusters', () => {
  it('reads and builds its own clusters, and gets 404 for others', async () => {
    const listed = await api.call('GET', '/clusters', as(limited));
    expect((listed.body['items'] as Json[]).map(({ name }) => name)).toEqual(['mine']);
    expect((await api.call('GET', '/clusters/mine', as(limited))).status).toBe(200);
    const foreign = await api.call('GET', '/clusters/demo', as(limited));
    const absent = await api.call('GET', '/clusters/absent', as(limited));
    expect([foreign.status, absent.status]).toEqual([404, 404]);
    expect(foreign.body['detail']).toBe(String(absent.body['detail']).replace('absent', 'demo'));
    const build = (name: string) =>
      api.call('POST', '/clusters', {
        body: spec({}, undefined, { name }),
        ...as(limited),
        headers: { ...as(limited).headers, 'content-type': 'application/json' },
      });
    expect((await build('mine')).status).toBe(202);
    expect((await build('demo')).status).toBe(403);
    expect((await build('new-one')).status).toBe(403);
  });

  it('is stopped at every route that concerns another cluster, or all of them', async () => {
    const { paths } = (await api.call('GET', '/docs/json')).body as { paths: Record<string, Record<string, Json>> };
    const open = [
      'GET /clusters',
      'POST /clusters',
      'GET /phases',
      'GET /events',
      'POST /imports',
      'GET /schemas/cluster',
      'GET /healthz',
      'GET /readyz',
    ];
    // A login: with the rights of its token.
    open.push('POST /login-codes', 'POST /sessions');
    let asked = 0;
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods)) {
        const route = `${method.toUpperCase()} ${path}`;
        if (open.includes(route)) continue;
        const url = path
          .replace('{name}', 'demo')
          .replace(/\{sha\}/, 'a'.repeat(64))
          .replace(/\{\w+\}/g, 'x');
        const answer = await api.app.inject({
          method: method.toUpperCase() as 'GET',
          url,
          headers: { authorization: `Bearer ${limited}` },
        });
        expect([403, 404], `${route}: ${answer.body}`).toContain(answer.statusCode);
        if (path.startsWith('/clusters/') || path === '/sessions/current')
          expect(answer.json(), route).toMatchObject({ code: 'NOT_FOUND' });
        else expect(answer.json(), route).toMatchObject({ code: 'FORBIDDEN' });
        asked += 1;
      }
    }
    expect(asked).toBeGreaterThan(15);
  });

  it('is made by POST /tokens, and shows its limits there', async () => {
    const made = await api.call('POST', '/tokens', { body: { name: 'a', role: 'viewer', clusters: ['mine'] } });
    expect(made.body).toMatchObject({ role: 'viewer', clusters: ['mine'] });
    expect((await api.call('GET', '/clusters/demo', as(String(made.body['token'])))).status).toBe(404);
    const { items } = (await api.call('GET', '/tokens')).body as { items: Json[] };
    expect(items.find(({ id }) => id === made.body['id'])).toMatchObject({ clusters: ['mine'] });
    expect(items.find(({ name }) => name === 'admin')).toMatchObject({ clusters: null });
    expect((await api.call('POST', '/tokens', { body: { name: 'a', role: 'viewer', clusters: [] } })).status).toBe(400);
  });
});

describe('tokens', () => {
  it('end at their time, and at once when revoked', async () => {
    const soon = new Date(Date.now() + 150);
    const { token } = await api.store.tokens.create('brief', 'viewer', { expiresAt: soon });
    expect((await api.call('GET', '/clusters', as(token))).status).toBe(200);
    await expect.poll(async () => (await api.call('GET', '/clusters', as(token))).status).toBe(401);
    const other = await api.store.tokens.create('revoked', 'viewer');
    expect((await api.call('GET', '/clusters', as(other.token))).status).toBe(200);
    expect((await api.call('DELETE', `/tokens/${other.info.id}`)).status).toBe(204);
    expect((await api.call('GET', '/clusters', as(other.token))).status).toBe(401);
  });

  it('that fail are counted per address, also well-formed ones; valid ones succeed meanwhile', async () => {
    const own = await testApi();
    const guess = (remoteAddress: string, n: number) =>
      own.app.inject({
        url: '/clusters',
        remoteAddress,
        headers: { authorization: `Bearer kw_${String(n).padStart(43, 'A')}` },
      });
    const statuses = new Set<number>();
    for (let n = 0; n < 40; n++) statuses.add((await guess('192.0.2.1', n)).statusCode);
    expect([...statuses]).toEqual([401, 429]);
    const refused = await guess('192.0.2.1', 99);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await guess('192.0.2.2', 1)).statusCode).toBe(401);
    const headers = { authorization: `Bearer ${own.token.viewer}` };
    expect((await own.app.inject({ url: '/clusters', remoteAddress: '192.0.2.1', headers })).statusCode).toBe(200);
    await own.close();
  });

  it('are never in an answer, nor are stored secrets', async () => {
    const password = 'correct-horse-battery';
    await api.call('PUT', '/credentials/login', { body: { kind: 'password', password } });
    for (const url of ['/tokens', '/credentials', '/clusters', '/clusters/demo']) {
      const { text } = await api.call('GET', url);
      for (const secret of [password, api.token.admin, limited]) expect(text, url).not.toContain(secret);
    }
    expect((await api.call('GET', '/credentials/login')).status).toBe(405);
  });
});

it('answers carry the headers that browsers go by', async () => {
  const { headers } = await api.call('GET', '/clusters');
  expect(headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'SAMEORIGIN',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
  });
  expect(headers['access-control-allow-origin']).toBeUndefined();
});

describe('a kubeconfig of one person', () => {
  const issue = (body: Json, role: 'viewer' | 'operator' | 'admin', cluster = 'demo') =>
    api.call('POST', `/clusters/${cluster}/kubeconfig`, { body, as: role });

  it('is by default for the caller, as a viewer, for one day', async () => {
    const answer = await issue({}, 'viewer');
    expect(answer.status).toBe(200);
    expect(answer.text).toBe(`# viewer kubewright:viewers 86400000\n${KUBECONFIG}`);
    expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', 'x-certificate-serial': '0a' });
    expect((await issue({ expiresIn: '30m' }, 'viewer')).text).toContain(' 1800000');
  });

  it.each([
    ['viewer', 'kubewright:editors', 403],
    ['viewer', 'system:masters', 403],
    ['operator', 'kubewright:editors', 200],
    ['operator', 'kubewright:cluster-admins', 403],
    ['admin', 'kubewright:cluster-admins', 200],
    ['admin', 'system:masters', 200],
    ['admin', 'system:nodes', 400],
  ] as const)('%s asks for %s: %i', async (role, group, status) => {
    expect((await issue({ group }, role)).status).toBe(status);
  });

  it('of another person is for admins to give, and never one of the cluster itself', async () => {
    expect((await issue({ name: 'alice' }, 'operator')).status).toBe(403);
    expect((await issue({ name: 'alice' }, 'admin')).text).toContain('# alice ');
    for (const name of ['kube-apiserver-kubelet-client', 'kubewright-admin', 'system', 'front-proxy-client']) {
      expect((await issue({ name }, 'admin')).status, name).toBe(400);
    }
  });

  it('lasts from ten minutes to thirty days', async () => {
    for (const expiresIn of ['9m', '31d', '0h', '1y', '', '-1h']) {
      expect((await issue({ expiresIn }, 'admin')).status, expiresIn).toBe(400);
    }
    expect((await issue({ expiresIn: '30d' }, 'admin')).status).toBe(200);
  });

  it('needs a built cluster; the admin kubeconfig needs an admin', async () => {
    expect((await issue({}, 'viewer', 'mine')).status).toBe(409);
    expect((await issue({}, 'viewer', 'absent')).status).toBe(404);
    expect((await api.call('GET', '/clusters/demo/kubeconfig', { as: 'operator' })).status).toBe(403);
    expect((await api.call('GET', '/clusters/demo/kubeconfig')).status).toBe(200);
  });
});

describe('/codec', () => {
  const wire = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  const sealedBody = async () => {
    const codec = payloadCodec(api.store.payloadKeys);
    const [payload] = await codec.encode([defaultPayloadConverter.toPayload({ host: 'cp-1' })]);
    const metadata = Object.fromEntries(Object.entries(payload!.metadata!).map(([key, value]) => [key, wire(value)]));
    return { payloads: [{ metadata, data: wire(payload!.data!) }] };
  };
  const origin = 'http://127.0.0.1:8233';

  it('opens and seals for operators, in the protocol of Temporal', async () => {
    const body = await sealedBody();
    const open = await api.call('POST', '/codec/decode', { body, as: 'operator' });
    expect(open.status).toBe(200);
    const [payload] = open.body['payloads'] as { metadata: { encoding: string }; data: string }[];
    expect(Buffer.from(payload!.metadata.encoding, 'base64').toString()).toBe('json/plain');
    expect(JSON.parse(Buffer.from(payload!.data, 'base64').toString())).toEqual({ host: 'cp-1' });
    const sealed = await api.call('POST', '/codec/encode', { body: open.body, as: 'operator' });
    expect(sealed.text).not.toContain(payload!.data);
    expect((await api.call('POST', '/codec/decode', { body: sealed.body, as: 'operator' })).body).toEqual(open.body);
  });

  it('is closed to viewers, to tokens of some clusters, and to callers without a token', async () => {
    const body = await sealedBody();
    expect((await api.call('POST', '/codec/decode', { body, as: 'viewer' })).status).toBe(403);
    expect((await api.call('POST', '/codec/decode', { body, as: null })).status).toBe(401);
    const own = { authorization: `Bearer ${limited}` };
    expect((await api.call('POST', '/codec/decode', { body, as: null, headers: own })).status).toBe(403);
  });

  it('reports why a foreign payload cannot be decrypted', async () => {
    const { payloads } = await sealedBody();
    for (const data of ['', 'AAAA', payloads[0]!.data.replace(/^..../, 'AAAA')]) {
      const answer = await api.call('POST', '/codec/decode', { body: { payloads: [{ ...payloads[0]!, data }] } });
      expect(answer.status, data).toBe(400);
    }
    const plain = { metadata: { encoding: wire(Buffer.from('json/plain')) }, data: wire(Buffer.from('1')) };
    expect((await api.call('POST', '/codec/decode', { body: { payloads: [plain] } })).body).toEqual({
      payloads: [plain],
    });
  });

  it("is for the pages of Temporal's UI alone, which bring the token in a cookie", async () => {
    const ask = await api.app.inject({
      method: 'OPTIONS',
      url: '/codec/decode',
      headers: { origin, 'access-control-request-method': 'POST' },
    });
    expect(ask.statusCode).toBe(204);
    expect(ask.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      vary: 'origin',
    });
    for (const other of ['https://evil.example', 'http://127.0.0.1:8234', 'null']) {
      const refused = await api.app.inject({ method: 'OPTIONS', url: '/codec/decode', headers: { origin: other } });
      expect(refused.headers['access-control-allow-origin'], other).toBeUndefined();
    }
    const session = await api.call('POST', '/codec/session', { as: 'operator' });
    expect(session.status).toBe(204);
    const cookie = String(session.headers['set-cookie']);
    expect(cookie).toMatch(/^kubewright_codec=kw_[\w-]+; Path=\/codec; HttpOnly; SameSite=Strict; Max-Age=28800$/);
    const headers = { origin, cookie: `other=1; ${cookie.split(';')[0]}` };
    expect((await api.call('POST', '/codec/decode', { body: await sealedBody(), as: null, headers })).status).toBe(200);
    expect((await api.call('GET', '/clusters', { as: null, headers })).status).toBe(401);
  });
});

it('POST /secrets/rotate is for admins, and returns counts', async () => {
  expect((await api.call('POST', '/secrets/rotate', { as: 'operator' })).status).toBe(403);
  // The keys of this test are given: there is no file in which to put a new one.
  expect((await api.call('POST', '/secrets/rotate')).body).toMatchObject({ code: 'CONFLICT' });
  const drop = await api.call('POST', '/secrets/rotate', { body: { dropOld: true } });
  expect(drop.body).toMatchObject({ resealed: 0, oldKeyIds: [], droppedKeyIds: [] });
});
