import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type RegistryImageResource, registryImage } from '../../../activities/phases/registry/image-resource.ts';
import { createPki } from '../../../activities/pki/pki.ts';
import { sha256 } from '../../../activities/resources/digest.ts';
import { converge } from '../../../activities/resources/engine/engine.ts';
import { FACTS, LocalHost, RUNS_HERE } from './support/local-host.ts';

let host: LocalHost;
let mirror: Server;
let registry: Server;
let image: RegistryImageResource;
/** What the registry holds: path to body. */
let stored: Map<string, Buffer>;
let requests: string[];
let refuseManifest: boolean;

const port = (server: Server): number => (server.address() as AddressInfo).port;
const listen = (server: Server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const TYPE = 'application/vnd.oci.image.manifest.v1+json';
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
const TYPES = [TYPE, INDEX_TYPE];

/** An OCI layout with two blobs; `nested` puts an index in between, as multi-platform tools do. */
function layout(nested = false, content = 'layer'): { tar: Buffer; digest: string } {
  const root = host.path(`layout-${nested}-${content}`);
  mkdirSync(`${root}/blobs/sha256`, { recursive: true });
  const blob = (content: string): string => {
    writeFileSync(`${root}/blobs/sha256/${sha256(content)}`, content);
    return `sha256:${sha256(content)}`;
  };
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: blob('{}'), size: 2 };
  const layers = [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: blob(content), size: 5 }];
  const digest = blob(JSON.stringify({ schemaVersion: 2, mediaType: TYPE, config, layers }));
  const index = { schemaVersion: 2, manifests: [{ mediaType: TYPE, digest, size: 1 }] };
  const outer = { mediaType: 'application/vnd.oci.image.index.v1+json', digest: blob(JSON.stringify(index)), size: 1 };
  const top = nested ? { schemaVersion: 2, manifests: [outer] } : index;
  writeFileSync(`${root}/index.json`, JSON.stringify(top, null, 2));
  writeFileSync(`${root}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
  return { tar: execFileSync('tar', ['-c', '-C', root, ...readdirSync(root)]), digest };
}

beforeEach(async () => {
  host = new LocalHost();
  stored = new Map();
  requests = [];
  refuseManifest = false;
  const values = new Map<string, string>();
  const pki = createPki({
    cluster: 'demo',
    mode: 'apply',
    secrets: {
      get: (_scope, name) => Promise.resolve(values.get(name) ?? null),
      createIfAbsent: async (_scope, name, make) => {
        if (!values.has(name)) values.set(name, await make());
        return values.get(name)!;
      },
    },
  });
  const authority = 'registry';
  const server = await pki.leaf({
    authority,
    name: 's',
    commonName: 's',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
  });
  const client = await pki.leaf({ authority, name: 'c', commonName: 'c', usages: ['client'] });
  const write = (name: string, text: string): string => {
    writeFileSync(host.path(name), text);
    return host.path(name);
  };

  registry = createTlsServer(
    { ca: server.ca, cert: server.cert, key: server.key.value, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      const url = new URL(request.url ?? '', 'https://x');
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const body = Buffer.concat(parts);
        requests.push(`${request.method} ${url.pathname.replace(/[0-9a-f]{64}/, '…')}`);
        const found = stored.get(url.pathname);
        if (request.method === 'HEAD') {
          const digest = found ? { 'Docker-Content-Digest': `sha256:${sha256(found)}` } : {};
          response.writeHead(found ? 200 : 404, digest).end();
        } else if (request.method === 'POST') {
          response.writeHead(202, { Location: `${url.pathname}upload-1?state=a%3D%3D` }).end();
        } else if (url.pathname.includes('/manifests/')) {
          if (!refuseManifest && TYPES.includes(request.headers['content-type'] ?? '')) stored.set(url.pathname, body);
          response.writeHead(refuseManifest ? 400 : 201).end(refuseManifest ? 'MANIFEST_INVALID' : '');
        } else {
          const digest = url.searchParams.get('digest') ?? '';
          const good = digest === `sha256:${sha256(body)}` && url.searchParams.get('state') === 'a==';
          if (good) stored.set(`/v2/tools/pause/blobs/${digest}`, body);
          response.writeHead(good ? 201 : 400).end();
        }
      });
    },
  );
  const tar = layout().tar;
  mirror = createServer((_request, response) => response.end(tar));
  await Promise.all([listen(registry), listen(mirror)]);
  image = registryImage({
    file: {
      name: 'image/pause',
      version: '3.10',
      url: `http://127.0.0.1:${port(mirror)}/p.tar`,
      sha256: sha256(tar),
      size: tar.length,
      kind: 'oci-tar',
    },
    registry: `127.0.0.1:${port(registry)}`,
    repository: 'tools/pause',
    tag: '3.10',
    tls: { ca: write('ca', server.ca), cert: write('crt', client.cert), key: write('key', client.key.value) },
  });
});
afterEach(async () => {
  for (const server of [mirror, registry]) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  host.dispose();
});

const run = (resource = image) =>
  converge({
    remote: host,
    resources: [resource],
    facts: FACTS,
    mode: 'apply',
    phase: 'test',
    signal: new AbortController().signal,
  });

it.skipIf(!RUNS_HERE)('pushes blobs and manifest once, and again when the registry lost them', async () => {
  expect((await run()).changes).toMatchObject([{ action: 'create' }]);
  expect(sha256(stored.get('/v2/tools/pause/manifests/3.10')!)).toBe(layout().digest.slice(7));
  expect([...stored.keys()].filter((path) => path.includes('/blobs/'))).toHaveLength(3);
  requests.length = 0;
  expect((await run()).changes).toEqual([]);
  expect(requests).toEqual(['HEAD /v2/tools/pause/manifests/3.10']);

  stored.delete('/v2/tools/pause/manifests/3.10');
  expect((await run()).changes).toMatchObject([{ detail: expect.stringContaining('does not have it') }]);
  // Its blobs were still there.
  expect(requests.filter((line) => line.startsWith('POST'))).toEqual([]);
  expect(readdirSync(host.path('state/kubewright/images')).filter((name) => name.endsWith('.d'))).toEqual([]);
});

it.skipIf(!RUNS_HERE)('finds the manifest behind an index', async () => {
  const { tar, digest } = layout(true);
  mirror.removeAllListeners('request').on('request', (_request, response) => response.end(tar));
  await run({ ...image, file: { ...image.file, sha256: sha256(tar), size: tar.length } });
  expect(sha256(stored.get('/v2/tools/pause/manifests/3.10')!)).toBe(digest.slice(7));
});

it.skipIf(!RUNS_HERE)('for two architectures is an index of both manifests, which is pushed once', async () => {
  const [amd, arm] = [layout(), layout(false, 'layer for arm64')];
  mirror.removeAllListeners('request').on('request', ({ url }, response) => {
    response.end(url === '/arm.tar' ? arm.tar : amd.tar);
  });
  const file = { ...image.file, sha256: sha256(amd.tar), size: amd.tar.length };
  const armFile = {
    ...file,
    url: file.url.replace('p.tar', 'arm.tar'),
    sha256: sha256(arm.tar),
    size: arm.tar.length,
  };
  const both = {
    ...image,
    platforms: [
      { arch: 'amd64', file },
      { arch: 'arm64', file: armFile },
    ],
  };
  expect((await run(both)).changes).toMatchObject([{ action: 'create' }]);
  const index = JSON.parse(stored.get('/v2/tools/pause/manifests/3.10')!.toString());
  expect(index).toMatchObject({ schemaVersion: 2, mediaType: INDEX_TYPE });
  const entries = index.manifests as { digest: string; size: number; platform: object; mediaType: string }[];
  expect(entries.map(({ platform }) => platform)).toEqual([
    { architecture: 'amd64', os: 'linux' },
    { architecture: 'arm64', os: 'linux' },
  ]);
  expect(entries.map(({ digest }) => digest)).toEqual([amd.digest, arm.digest]);
  for (const { digest, size, mediaType } of entries) {
    const body = stored.get(`/v2/tools/pause/manifests/${digest}`)!;
    expect([`sha256:${sha256(body)}`, body.length, mediaType]).toEqual([digest, size, TYPE]);
  }
  requests.length = 0;
  expect((await run(both)).changes).toEqual([]);
  expect(requests).toEqual(['HEAD /v2/tools/pause/manifests/3.10']);
  // A mirror that no longer has the second one, and one with another file.
  expect((await run({ ...image, file })).changes).toMatchObject([
    { detail: expect.stringContaining('its file changed') },
  ]);
  expect((await run(both)).changes).toMatchObject([{ detail: expect.stringContaining('its file changed') }]);
});

it.skipIf(!RUNS_HERE)('reports the answer of the registry', async () => {
  refuseManifest = true;
  await expect(run()).rejects.toMatchObject({
    code: 'IMAGE_PUSH_FAILED',
    evidence: expect.stringContaining('MANIFEST_INVALID'),
  });
});

it.skipIf(!RUNS_HERE)('refuses names that are none', () => {
  expect(() => registryImage({ ...image, registry: 'x y' })).toThrow('registry');
  expect(() => registryImage({ ...image, repository: 'A' })).toThrow('repository');
  expect(() => registryImage({ ...image, tag: '-x' })).toThrow('tag');
});

it.skipIf(!RUNS_HERE)('several images are asked for together, over one connection per registry', async () => {
  const others = ['1.0', '2.0'].map((tag) => ({ ...image, tag, id: `${image.registry}/tools/pause:${tag}` }));
  const away = { ...image, registry: '127.0.0.1:1', id: '127.0.0.1:1/tools/pause:3.10' };
  let connections = 0;
  registry.on('secureConnection', () => {
    connections += 1;
  });
  const run = (images: readonly RegistryImageResource[], mode: 'apply' | 'check' = 'apply') =>
    converge({ remote: host, resources: images, facts: FACTS, mode, phase: 't', signal: new AbortController().signal });
  expect((await run([image, ...others])).changes).toHaveLength(3);
  connections = 0;
  expect((await run([image, ...others])).changes).toEqual([]);
  expect(connections).toBe(1);

  // One that the registry lost, one that was never pushed, one whose registry is unreachable.
  stored.delete('/v2/tools/pause/manifests/1.0');
  const never = { ...image, tag: '3.0', id: `${image.registry}/tools/pause:3.0` };
  const { changes } = await run([never, image, away, ...others], 'check');
  expect(changes.map(({ resource, detail }) => [resource.split(':').at(-1), detail])).toEqual([
    ['3.0', 'push image/pause'],
    ['3.10', 'push image/pause'],
    ['1.0', 'push image/pause: the registry does not have it'],
  ]);
});
