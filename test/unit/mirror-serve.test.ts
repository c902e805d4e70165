import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type MirrorServer, serveMirror } from '../../lab/mirror/serve.ts';

let base = '';
let server: MirrorServer;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'kw-serve-'));
  await mkdir(join(base, 'mirror', 'etcd'), { recursive: true });
  await writeFile(join(base, 'mirror', 'etcd', 'file.tar.gz'), 'content');
  await writeFile(join(base, 'mirror', '.manifest.1'), 'draft');
  await writeFile(join(base, 'secret'), 'secret');
  await symlink('../../secret', join(base, 'mirror', 'etcd', 'link'));
  await symlink('..', join(base, 'mirror', 'up'));
  server = await serveMirror({ root: join(base, 'mirror'), host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  await server.close();
  await rm(base, { recursive: true, force: true });
});

/** fetch would tidy `..` away before it sends the path. */
const status = (path: string, method = 'GET'): Promise<number> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    request({ hostname, port, path, method }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });

test('a file is sent with its length', async () => {
  const response = await fetch(`${server.url}/etcd/file.tar.gz`);
  expect(response.headers.get('content-length')).toBe('7');
  expect(await response.text()).toBe('content');
});

test('HEAD returns the length and no body', async () => {
  const response = await fetch(`${server.url}/etcd/file.tar.gz`, { method: 'HEAD' });
  expect(response.headers.get('content-length')).toBe('7');
  expect(await response.text()).toBe('');
});

test.each([
  '/../secret',
  '/etcd/../../secret',
  '/%2e%2e/secret',
  '/etcd/%2e%2e%2f%2e%2e%2fsecret',
  '/etcd/..\\..\\secret',
  '//etc/passwd',
  '/etcd/link',
  '/up/secret',
  '/.manifest.1',
  '/etcd',
  '/etcd/',
  '/',
  '/nothing',
])('%s is not served', async (path) => {
  expect(await status(path)).toBe(404);
});

test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('%s is refused', async (method) => {
  expect(await status('/etcd/file.tar.gz', method)).toBe(405);
});
