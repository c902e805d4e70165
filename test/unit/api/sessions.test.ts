import { beforeAll, describe, expect, it } from 'vitest';
import { type Json, type TestApi, testApi } from './support.ts';

let api: TestApi;
beforeAll(async () => {
  api = await testApi();
  return () => api.close();
});

const own = { 'sec-fetch-site': 'same-origin' };
const cookieOf = (headers: Record<string, unknown>): string => String(headers['set-cookie']).split(';')[0]!;
async function logIn(body: Json, headers: Record<string, string> = {}) {
  const answer = await api.call('POST', '/sessions', { body, headers: { ...own, ...headers }, as: null });
  return { ...answer, cookie: cookieOf(answer.headers) };
}
const withCookie = (cookie: string, headers: Record<string, string> = own) => ({
  as: null,
  headers: { cookie, ...headers },
});
const codeOf = async (as: 'viewer' | 'admin' = 'admin') =>
  String((await api.call('POST', '/login-codes', { as })).body['code']);

describe('a login', () => {
  it('takes a code once, and gives the rights of its token', async () => {
    const made = await api.call('POST', '/login-codes', { as: 'viewer' });
    const { code } = made.body;
    expect(made).toMatchObject({ status: 201, body: { path: `/ui/login#code=${code}` } });
    expect(made.headers['cache-control']).toBe('no-store');
    const first = await logIn({ code });
    expect(first).toMatchObject({ status: 201, body: { actor: { name: 'viewer', role: 'viewer' }, clusters: null } });
    expect(await logIn({ code })).toMatchObject({ status: 401, body: { code: 'LOGIN_INVALID' } });
    expect((await api.call('GET', '/clusters', withCookie(first.cookie))).status).toBe(200);
    expect((await api.call('GET', '/tokens', withCookie(first.cookie))).status).toBe(403);
    // Two at once: one of them.
    const other = await codeOf();
    const both = await Promise.all([logIn({ code: other }), logIn({ code: other })]);
    expect(both.map(({ status }) => status)).toEqual(expect.arrayContaining([201, 401]));
  });

  it('takes a token, and no wrong one', async () => {
    expect((await logIn({ token: api.token.operator })).body).toMatchObject({ actor: { role: 'operator' } });
    expect(await logIn({ token: 'kw_wrong' })).toMatchObject({ status: 401, body: { code: 'LOGIN_INVALID' } });
    expect((await logIn({})).status).toBe(400);
  });

  it('sets a cookie that no script reads; with https only there', async () => {
    const { headers } = await logIn({ token: api.token.admin });
    const cookie = String(headers['set-cookie']);
    for (const flag of ['HttpOnly', 'SameSite=Strict', 'Path=/']) expect(cookie).toContain(flag);
    expect(cookie).not.toMatch(/Secure|Domain/);
    expect(cookie).toMatch(/^kubewright-session=/);
  });

  it('always makes a new session, and ends the one that the browser had', async () => {
    const first = await logIn({ token: api.token.admin });
    const fixed = `kubewright-session=${'A'.repeat(43)}`;
    const fixated = await logIn({ token: api.token.admin }, { cookie: fixed });
    expect(fixated.cookie).not.toBe(fixed);
    expect((await api.call('GET', '/clusters', withCookie(fixed))).status).toBe(401);
    const second = await logIn({ token: api.token.admin }, { cookie: first.cookie });
    expect(second.cookie).not.toBe(first.cookie);
    expect((await api.call('GET', '/clusters', withCookie(first.cookie))).status).toBe(401);
    expect((await api.call('GET', '/clusters', withCookie(second.cookie))).status).toBe(200);
  });

  it('is refused to pages of other origins', async () => {
    const headers = [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }];
    for (const each of headers)
      expect(await logIn({ token: api.token.admin }, each)).toMatchObject({
        status: 403,
        body: { code: 'CROSS_SITE_REQUEST' },
      });
    const foreign = { body: { token: api.token.admin }, as: null, headers: { origin: 'http://evil.example' } };
    expect((await api.call('POST', '/sessions', foreign)).status).toBe(403);
  });

  it('is recorded with its actor, and with no secret', async () => {
    const code = await codeOf();
    const { body, cookie } = await logIn({ code });
    const { items } = await api.store.journal.list({ cluster: '', order: 'newest', limit: 20 });
    const issued = items.find(({ argv }) => argv?.[0] === 'session' && argv.includes(`id=${body['id']}`));
    expect(issued).toMatchObject({ kind: 'issue', actor: 'admin' });
    expect((await api.call('DELETE', '/tokens/absent', withCookie(cookie))).status).toBe(404);
    const after = await api.store.journal.list({ cluster: '', order: 'newest', limit: 20 });
    expect(after.items[0]).toMatchObject({ actor: 'admin' });
    expect(after.items[0]!.argv).toContain(`session=${body['id']}`);
    const text = JSON.stringify([items, after]);
    expect(text).not.toContain(code);
    expect(text).not.toContain(cookie.split('=')[1]);
  });
});

describe('a session', () => {
  it('changes nothing for a page of another origin', async () => {
    const { cookie } = await logIn({ token: api.token.admin });
    const revoke = async (headers: Record<string, string>) =>
      (await api.call('DELETE', '/tokens/absent', withCookie(cookie, headers))).status;
    expect(await revoke({ 'sec-fetch-site': 'same-origin' })).toBe(404);
    for (const site of ['cross-site', 'same-site', 'none']) expect(await revoke({ 'sec-fetch-site': site })).toBe(403);
    expect(await revoke({ host: 'kw.example:8080', origin: 'http://kw.example:8080' })).toBe(404);
    expect(await revoke({ host: 'kw.example:8080', origin: 'http://kw.example:8081' })).toBe(403);
    expect(await revoke({ host: 'kw.example:8080', origin: 'null' })).toBe(403);
    expect(await revoke({})).toBe(403);
    // The header of the page's own origin does not help a page that the browser calls foreign.
    expect(await revoke({ host: 'a', origin: 'http://a', 'sec-fetch-site': 'cross-site' })).toBe(403);
  });

  it('reads for its own pages and for typed addresses', async () => {
    const { cookie } = await logIn({ token: api.token.admin });
    const read = async (headers: Record<string, string>) =>
      (await api.call('GET', '/clusters', withCookie(cookie, headers))).status;
    for (const headers of [own, { 'sec-fetch-site': 'none' }, {}])
      expect(await read(headers as Record<string, string>)).toBe(200);
    expect(await read({ 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await read({ origin: 'http://evil.example' })).toBe(403);
  });

  it('ends with its token', async () => {
    const { token, info } = await api.store.tokens.create('gone', 'viewer');
    const { cookie } = await logIn({ token });
    const code = (await api.call('POST', '/login-codes', { as: null, headers: { authorization: `Bearer ${token}` } }))
      .body['code'];
    expect((await api.call('GET', '/clusters', withCookie(cookie))).status).toBe(200);
    await api.call('DELETE', `/tokens/${info.id}`);
    expect((await api.call('GET', '/clusters', withCookie(cookie))).status).toBe(401);
    expect((await logIn({ code })).status).toBe(401);
  });

  it('is shown, listed, logged out and revoked', async () => {
    const { cookie, body } = await logIn({ token: api.token.admin });
    const current = await api.call('GET', '/sessions/current', withCookie(cookie));
    expect(current).toMatchObject({ status: 200, body: { id: body['id'], actor: { name: 'admin' } } });
    expect((await api.call('GET', '/sessions/current')).status).toBe(404);
    const listed = (await api.call('GET', '/sessions')).body['items'] as Json[];
    expect(listed.map(({ id }) => id)).toContain(body['id']);
    expect((await api.call('GET', '/sessions', { as: 'operator' })).status).toBe(403);
    const out = await api.call('DELETE', '/sessions/current', withCookie(cookie));
    expect(out.status).toBe(204);
    expect(String(out.headers['set-cookie'])).toMatch(/^kubewright-session=;.*Expires=Thu, 01 Jan 1970/);
    expect((await api.call('GET', '/clusters', withCookie(cookie))).status).toBe(401);
    const other = await logIn({ token: api.token.admin });
    expect((await api.call('DELETE', `/sessions/${other.body['id']}`)).status).toBe(204);
    expect((await api.call('DELETE', `/sessions/${other.body['id']}`)).status).toBe(404);
    expect((await api.call('GET', '/clusters', withCookie(other.cookie))).status).toBe(401);
  });

  it('makes no login code: it would outlive its end', async () => {
    const { cookie } = await logIn({ token: api.token.admin });
    expect((await api.call('POST', '/login-codes', withCookie(cookie))).status).toBe(403);
  });

  it('does not count beside an Authorization header', async () => {
    const { cookie } = await logIn({ token: api.token.admin });
    const more = withCookie(cookie, { authorization: 'Bearer kw_wrong', ...own });
    expect((await api.call('GET', '/clusters', more)).status).toBe(401);
  });
});
