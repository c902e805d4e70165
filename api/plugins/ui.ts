import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { KubewrightError } from '../../contracts/errors.ts';

/** Files of the build whose names change with their content, and those beside index.html. */
const ASSET = /^assets\/[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/;
const BESIDE = /^[a-z0-9-]{1,64}\.(?:svg|png|ico|webmanifest)$/;
const YEAR_MS = 365 * 24 * 3_600_000;

/**
 * What a page of the UI may do: scripts and styles are files of ours, and nothing comes from elsewhere. The nonce is for the
 * style elements that CodeMirror and react-aria add.
 */
const policy = (nonce: string): string =>
  [
    ...["default-src 'none'", "script-src 'self'", `style-src 'self' 'nonce-${nonce}'`, "connect-src 'self'"],
    ...["img-src 'self' data:", "font-src 'self'", "manifest-src 'self'", "frame-ancestors 'none'"],
    ...["base-uri 'none'", "form-action 'self'"],
  ].join('; ');

/**
 * The web UI at /ui/: files of the build in `folder`, and index.html for every other address, which is one of the page's own.
 * A browser that asks for / is sent there.
 */
export async function serveUi(app: FastifyInstance, folder: string): Promise<void> {
  await app.register(async (ui) => {
    await ui.register(fastifyStatic, { root: folder, serve: false, cacheControl: false, etag: true });
    ui.addHook('onRequest', async (_request, reply) => {
      void reply.headers({
        'x-frame-options': 'DENY',
        'cross-origin-opener-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
      });
    });
    const config = { role: 'public' as const };
    const schema = { hide: true };
    ui.get('/', { config, schema }, async (request, reply) => {
      if (request.headers.accept?.includes('text/html') === true) return reply.redirect('/ui/');
      throw new KubewrightError('NOT_FOUND', 'there is no such route; see /docs');
    });
    ui.get('/ui', { config, schema }, async (_request, reply) => reply.redirect('/ui/'));
    ui.get('/ui/*', { config, schema }, async (request, reply) => {
      const { '*': path = '' } = request.params as { '*'?: string };
      if (ASSET.test(path)) {
        void reply.header('cache-control', `public, max-age=${YEAR_MS / 1000}, immutable`);
        return reply.sendFile(path);
      }
      if (BESIDE.test(path)) {
        void reply.header('cache-control', 'no-cache');
        return reply.sendFile(path);
      }
      const nonce = randomBytes(16).toString('base64');
      const page = await index(folder);
      return reply
        .type('text/html; charset=utf-8')
        .headers({ 'cache-control': 'no-store', 'content-security-policy': policy(nonce) })
        .send(page.replace('<head>', `<head>\n    <meta property="csp-nonce" nonce="${nonce}" />`));
    });
  });
}

/** Throws UI_NOT_BUILT. Read for each request: the UI may be built while the API runs. */
async function index(folder: string): Promise<string> {
  try {
    return await readFile(join(folder, 'index.html'), 'utf8');
  } catch (error) {
    throw new KubewrightError('UI_NOT_BUILT', `there is no web UI in ${folder}`, { cause: error });
  }
}
