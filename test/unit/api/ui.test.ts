import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { handleErrors } from '../../../api/plugins/errors.ts';
import { serveUi } from '../../../api/plugins/ui.ts';
import { type TestApi, testApi } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'kubewright-ui-'));
let app: FastifyInstance;
let api: TestApi;

beforeAll(async () => {
  api = await testApi();
  app = fastify();
  handleErrors(app);
  await serveUi(app, folder);
});
afterAll(async () => {
  await app.close();
  await api.close();
  rmSync(folder, { recursive: true, force: true });
});

const get = (url: string, headers: Record<string, string> = {}) => app.inject({ method: 'GET', url, headers });

describe('the web UI', () => {
  it('says what to run while it is not built', async () => {
    const answer = await get('/ui/');
    expect(answer.statusCode).toBe(503);
    expect(answer.json()).toMatchObject({ code: 'UI_NOT_BUILT', hint: expect.stringContaining('vite build ui') });
  });

  it('is index.html for every address of its own, under a policy with a nonce of each answer', async () => {
    writeFileSync(join(folder, 'index.html'), '<!doctype html><html><head></head><body></body></html>');
    const nonces = new Set<string>();
    for (const url of ['/ui/', '/ui/clusters/demo', '/ui/login', '/ui/assets/../../../../etc/passwd']) {
      const answer = await get(url);
      if (!url.includes('..')) expect(answer.statusCode, url).toBe(200);
      if (answer.statusCode !== 200) continue;
      const { headers, body } = answer;
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'cross-origin-opener-policy': 'same-origin',
      });
      const csp = String(headers['content-security-policy']);
      for (const part of ["default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "base-uri 'none'"])
        expect(csp).toContain(part);
      expect(csp).not.toContain('unsafe');
      const [, nonce = ''] = /nonce="([^"]{24})"/.exec(body) ?? [];
      expect(csp).toContain(`'nonce-${nonce}'`);
      nonces.add(nonce);
    }
    expect(nonces.size).toBeGreaterThanOrEqual(3);
  });

  it('has assets that are kept for long, and no files of other folders', async () => {
    mkdirSync(join(folder, 'assets'), { recursive: true });
    writeFileSync(join(folder, 'assets', 'index-abc.js'), 'export {};');
    const asset = await get('/ui/assets/index-abc.js');
    expect(asset.statusCode).toBe(200);
    expect(asset.headers).toMatchObject({ 'cache-control': 'public, max-age=31536000, immutable' });
    expect(asset.headers['content-type']).toContain('javascript');
    expect((await get('/ui/assets/absent.js')).statusCode).toBe(404);
    for (const url of ['/ui/..%2f..%2fetc%2fpasswd', '/ui/%2e%2e/%2e%2e/etc/passwd'])
      expect((await get(url)).body).not.toContain('root:');
  });

  it('is where / leads a browser, and no other caller', async () => {
    const browser = await api.call('GET', '/', { as: null, headers: { accept: 'text/html,*/*' } });
    expect(browser).toMatchObject({ status: 302, headers: { location: '/ui/' } });
    expect((await api.call('GET', '/')).status).toBe(404);
  });
});
