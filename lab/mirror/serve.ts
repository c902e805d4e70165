import { createReadStream } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';

/** A running mirror server. */
export interface MirrorServer {
  /** Without a slash at the end. */
  url: string;
  close: () => Promise<void>;
}

/** Path characters that the mirror's own names use; everything else is no file of ours. */
const PATH = /^\/[A-Za-z0-9._/+-]{1,300}$/;

/** Serves a mirror's folder over HTTP, read only. `port` 0 takes a free one. */
export async function serveMirror(options: { root: string; host: string; port: number }): Promise<MirrorServer> {
  const server = createServer((request, response) => {
    answer(options.root, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host}:${port}`,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeAllConnections();
      }),
  };
}

async function answer(root: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return;
  }
  const path = (request.url ?? '').split('?')[0] ?? '';
  const size = await sizeOf(root, path);
  if (size === null) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, {
    'content-length': size,
    'content-type': path.endsWith('.json') ? 'application/json' : 'application/octet-stream',
  });
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  await pipeline(createReadStream(join(root, path)), response);
}

/** The size of a plain file of the mirror; null for everything else: folders, hidden files, links, paths that climb out. */
async function sizeOf(root: string, path: string): Promise<number | null> {
  if (!PATH.test(path)) return null;
  const elements = path.slice(1).split('/');
  if (elements.some((element) => element === '' || element.startsWith('.'))) return null;
  let current = root;
  for (const element of elements.slice(0, -1)) {
    current = join(current, element);
    const info = await lstat(current).catch(() => null);
    if (info === null || !info.isDirectory()) return null;
  }
  const info = await lstat(join(root, path)).catch(() => null);
  return info?.isFile() ? info.size : null;
}

/**
 * `node lab/mirror/serve.ts --root DIR --host ADDRESS --port PORT`: serves a mirror until it gets a signal. Prints its
 * address on one line once it listens.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      root: { type: 'string' },
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '0' },
    },
  });
  if (values.root === undefined || !/^\d{1,5}$/.test(values.port)) {
    console.error('usage: node lab/mirror/serve.ts --root DIR [--host ADDRESS] [--port PORT]');
    process.exit(2);
  }
  const server = await serveMirror({ root: values.root, host: values.host, port: Number(values.port) });
  console.log(server.url);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void server.close().then(() => process.exit(0)));
  }
}

if (import.meta.main) await main();
