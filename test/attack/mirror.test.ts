import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fetchMirrorManifest } from '../../activities/artifacts/mirror-manifest.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import type { Store } from '../../store/index.ts';
import { seedOperation } from '../support/seeded.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

/** Issue 9, B4: what a mirror answers is bounded like what callers send, and in no error. */

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
const SECRET = 'inner-secret-7Kq2';
const MANIFEST = JSON.stringify({ formatVersion: 1, files: {} });

const servers: Server[] = [];
async function serve(answer: Answer): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    answer(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  servers.push(server);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

const json = (response: ServerResponse, body: string) =>
  response.setHeader('content-type', 'application/json').end(body);

async function refusal(url: string): Promise<KubewrightError> {
  const error = await fetchMirrorManifest(url).then(
    () => null,
    (cause: unknown) => cause,
  );
  if (!KubewrightError.is(error)) throw new Error(`not refused: ${String(error)}`);
  expect(error.code).toBe('MIRROR_UNUSABLE');
  // Nothing of the answer, in no part of the error.
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    expect(`${each.message} ${each.stack} ${(each as KubewrightError).evidence}`).not.toContain(SECRET);
  }
  return error;
}

describe('the manifest of a mirror', () => {
  it('is read, also behind a redirect on the same host', async () => {
    const { url, asked } = await serve((request, response) => {
      if (request.url === '/manifest.json') response.writeHead(302, { location: '/moved.json' }).end();
      else json(response, MANIFEST);
    });
    expect(await fetchMirrorManifest(url)).toEqual({ formatVersion: 1, files: {} });
    expect(asked).toEqual(['/manifest.json', '/moved.json']);
  });

  it('has a maximum size, independent of its content-length', async () => {
    let sent = 0;
    const { url } = await serve((_request, response) => {
      response.setHeader('content-type', 'application/json');
      const chunk = Buffer.alloc(64 * 1024, ' ');
      const more = (): void => {
        while (sent < 400 * 1024 * 1024 && !response.destroyed) {
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    });
    expect((await refusal(url)).evidence).toBe('more than 1048576 bytes');
    // The rest was not taken.
    expect(sent).toBeLessThan(40 * 1024 * 1024);
  });

  it('leads to no other host', async () => {
    const inner = await serve((_request, response) => void json(response, MANIFEST));
    const { url } = await serve((_request, response) => {
      response.writeHead(307, { location: `${inner.url}/manifest.json` }).end(SECRET);
    });
    expect((await refusal(url)).evidence).toContain('another host');
    expect(inner.asked).toEqual([]);
  });

  it.each<[string, Answer]>([
    ['text that is no JSON', (_request, response) => void json(response, `${SECRET} is here`)],
    ['JSON of another shape', (_request, response) => void json(response, JSON.stringify({ [SECRET]: SECRET }))],
    [
      'a file of another shape',
      (_q, response) =>
        void json(response, JSON.stringify({ formatVersion: 1, files: { [SECRET]: { sha256: SECRET } } })),
    ],
    ['a page', (_request, response) => void response.setHeader('content-type', 'text/html').end(SECRET)],
    ['an error', (_request, response) => void response.writeHead(500, SECRET).end(SECRET)],
    ['something compressed', (_request, response) => void response.setHeader('content-encoding', 'gzip').end(SECRET)],
    ['redirects without an end', (_request, response) => void response.writeHead(302, { location: '/' }).end()],
    ['a redirect to a file', (_q, response) => void response.writeHead(302, { location: `file:///${SECRET}` }).end()],
    ['no HTTP', (request) => void request.socket.end(`SSH-2.0-${SECRET}\r\n`)],
    [
      'another protocol',
      (request) =>
        void request.socket.write(`HTTP/1.1 101 ${SECRET}\r\nconnection: upgrade\r\nupgrade: ${SECRET}\r\n\r\nhello`),
    ],
    ['half an answer', (request) => void request.socket.end('HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{"for')],
  ])('is refused without a quotation: %s', async (_what, answer) => {
    await refusal((await serve(answer)).url);
  });

  it.each(['http://169.254.169.254', 'http://0.0.0.0:1', 'file:///etc', 'http://224.0.0.1'])(
    'is not requested at %s',
    async (url) => {
      expect((await refusal(url)).evidence).toMatch(/no file server|no http or https address/);
    },
  );
});

describe('a viewer', () => {
  let service: ServiceProcess;
  let store: Store;
  beforeAll(async () => {
    service = await startServiceProcess();
    store = await service.openStore();
  });
  afterAll(async () => {
    await store.close();
    await service.close();
  });

  it('makes the API read nothing from the address that a spec names', async () => {
    const { url, asked } = await serve((_request, response) => void json(response, MANIFEST));
    await seedOperation(store, 'mirrored', {}, { artifacts: { mirror: url } });
    const { token } = await store.tokens.create('reader', 'viewer');
    const headers = { authorization: `Bearer ${token}` };
    for (const path of [
      '',
      '/operations',
      '/operations/op-1',
      '/operations/op-1?changes=true',
      '/history',
      '/history?events=true',
    ]) {
      await (await fetch(`${service.url}/clusters/mirrored${path}`, { headers })).text();
    }
    const answer = await fetch(`${service.url}/clusters/mirrored`, { headers });
    expect(await answer.json()).toMatchObject({ smokeImage: expect.stringMatching(/busybox:1\.35\.0$/) });
    expect(asked).toEqual([]);
  });
});
