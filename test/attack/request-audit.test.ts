import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JournalEntry } from '../../contracts/record.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

/** D3 of the trust issue: who asked, from where, with which token; also when it was refused. */

let api: ServiceProcess;
beforeAll(async () => {
  api = await startServiceProcess({ KUBEWRIGHT_TRUST_PROXY: '127.0.0.1, 192.0.2.0/24' });
});
afterAll(() => api.close());

let asked = 0;
/** Asks with a request id of its own; returns the answer and what the installation's trail says of it. */
async function ask(...[method, path, more = {}]: Parameters<ServiceProcess['call']>) {
  const requestId = `attack-${(asked += 1)}`;
  const answer = await api.call(method, path, { ...more, headers: { ...more.headers, 'x-request-id': requestId } });
  const records = (await trail()).filter((each) => each.requestId === requestId);
  return { ...answer, records };
}
async function trail(): Promise<JournalEntry[]> {
  const { text } = await api.call('GET', '/audit/history?order=newest&limit=200');
  return (JSON.parse(text) as { items: JournalEntry[] }).items;
}
async function makeToken(body: object): Promise<{ id: string; token: string; records: JournalEntry[] }> {
  const { status, text, records } = await ask('POST', '/tokens', { body });
  expect(status, text).toBe(201);
  return { ...(JSON.parse(text) as { id: string; token: string }), records };
}

describe('a request that is refused because of its caller leaves a record, also when it only reads', () => {
  it.each([
    ['GET', '/clusters', null],
    ['HEAD', '/clusters', null],
    ['GET', '/clusters/demo', null],
    ['GET', '/tokens', 'kw_wrong'],
    ['GET', '/no-such-thing', null],
  ] as const)('%s %s with token %s', async (method, path, token) => {
    const { status, records } = await ask(method, path, { token });
    expect(status).toBe(401);
    expect(records).toMatchObject([{ actor: 'anonymous', actorId: null, result: 'refused', exitCode: 401 }]);
    expect(records[0]!.argv.slice(0, 2)).toEqual([method, path]);
  });

  it('with too small a role, and for a cluster out of reach', async () => {
    const viewer = await makeToken({ name: 'looker', role: 'viewer', clusters: ['team-a'] });
    const small = await ask('GET', '/audit/history', { token: viewer.token });
    expect(small.records).toMatchObject([{ actor: 'looker', actorId: viewer.id, exitCode: 403 }]);
    // There is no such cluster: the record is in the installation's chain, and names it.
    const { status, records } = await ask('GET', '/clusters/prod', { token: viewer.token });
    expect(status).toBe(404);
    expect(records).toMatchObject([{ actor: 'looker', actorId: viewer.id, exitCode: 404, result: 'refused' }]);
    expect(records[0]!.argv).toContain('cluster=prod');
  });
});

describe('two tokens of one name', () => {
  it('are distinct in requests and in what was issued to them', async () => {
    const one = await makeToken({ name: 'ops', role: 'admin' });
    const two = await makeToken({ name: 'ops', role: 'admin' });
    expect(one.id).not.toBe(two.id);
    for (const { id, token } of [one, two]) {
      const made = await ask('POST', '/tokens', { token, body: { name: 'child', role: 'viewer' } });
      expect(made.status).toBe(201);
      const kinds = made.records.map(({ kind, actor, actorId }) => [kind, actor, actorId]);
      expect(kinds.map((kind) => kind.join(' ')).toSorted()).toEqual([`issue ops ${id}`, `request ops ${id}`]);
    }
  });
});

describe('behind a proxy', () => {
  const from = async (headers: Record<string, string>) =>
    (await ask('POST', '/nowhere', { headers })).records[0]!.argv.slice(2);

  it('the address that the trusted proxy saw is the caller’s', async () => {
    expect(await from({ 'x-forwarded-for': '203.0.113.7' })).toEqual(['from 203.0.113.7', 'via 127.0.0.1']);
    // What the caller wrote before the proxy's own addition is the caller's invention.
    expect(await from({ 'x-forwarded-for': '198.51.100.1, 203.0.113.7' })).toEqual([
      'from 203.0.113.7',
      'via 127.0.0.1',
    ]);
    expect(await from({ 'x-forwarded-for': '203.0.113.7, 192.0.2.9' })).toEqual(['from 203.0.113.7', 'via 127.0.0.1']);
    expect(await from({ 'x-forwarded-for': 'no address' })).toEqual(['from unknown', 'via 127.0.0.1']);
    expect(await from({})).toEqual(['from 127.0.0.1']);
  });

  it('the codec cookie is Secure when the proxy ended TLS, and only then', async () => {
    const cookie = async (headers: Record<string, string>) =>
      String((await ask('POST', '/codec/session', { headers })).headers['set-cookie']);
    expect(await cookie({ 'x-forwarded-proto': 'https' })).toMatch(/; Secure$/);
    expect(await cookie({ 'x-forwarded-proto': 'http' })).not.toContain('Secure');
    expect(await cookie({})).not.toContain('Secure');
  });

  it('without configuration no caller can choose its address', async () => {
    await api.stop();
    await api.start({});
    expect(await from({ 'x-forwarded-for': '203.0.113.7' })).toEqual(['from 127.0.0.1']);
    const { headers } = await ask('POST', '/codec/session', { headers: { 'x-forwarded-proto': 'https' } });
    expect(String(headers['set-cookie'])).not.toContain('Secure');
  });

  it.each(['0.0.0.0/0', '::/0', 'true', '10.0.0.0/33', 'proxy.example', '10.0.0.1/8/8'])(
    'a proxy list of %s is refused at the start',
    async (list) => {
      await api.stop();
      await expect(api.start({ KUBEWRIGHT_TRUST_PROXY: list })).rejects.toThrow('KUBEWRIGHT_TRUST_PROXY');
    },
  );
});
