import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ImageFile } from '../../activities/artifacts/image.ts';
import { HEADLAMP } from '../../activities/phases/dashboard/artifacts.ts';
import { COREDNS } from '../../activities/phases/dns/artifacts.ts';
import { pullSource } from '../../lab/mirror/sources/pull.ts';
import { openWeb } from '../../lab/mirror/sources/web.ts';

let workDir = '';
beforeEach(async () => {
  workDir = await mkdtemp(join(tmpdir(), 'kw-pull-'));
});
afterEach(() => rm(workDir, { recursive: true, force: true }));

const sum = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const blob = (mediaType: string, text: string) => ({ mediaType, digest: sum(text), size: text.length });

const layer = 'layer bytes';
const config = '{"os":"linux"}';
const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  config: blob('application/vnd.oci.image.config.v1+json', config),
  layers: [blob('application/vnd.oci.image.layer.v1.tar+gzip', layer)],
});
const index = JSON.stringify({
  schemaVersion: 2,
  manifests: [
    {
      ...blob('application/vnd.oci.image.manifest.v1+json', 'other'),
      platform: { os: 'linux', architecture: 'arm64' },
    },
    {
      ...blob('application/vnd.oci.image.manifest.v1+json', manifest),
      platform: { os: 'linux', architecture: 'amd64' },
    },
  ],
});
const BASE = 'https://registry.example/v2/team/app';
const pinned: ImageFile = { ...HEADLAMP.file('amd64'), upstream: `registry.example/team/app:v1@${sum(index)}` };

/** A registry that wants a token, as public ones do. */
const registry =
  (files: Record<string, string>): typeof fetch =>
  (input, init) => {
    const url = new Request(input).url;
    if (url.startsWith('https://auth.example/')) return Promise.resolve(Response.json({ token: 'anonymous' }));
    const authorization = new Headers(init?.headers).get('authorization');
    if (authorization !== 'Bearer anonymous') {
      const challenge =
        'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:team/app:pull"';
      return Promise.resolve(new Response('', { status: 401, headers: { 'www-authenticate': challenge } }));
    }
    const content = files[url];
    return Promise.resolve(content === undefined ? new Response('', { status: 404 }) : new Response(content));
  };
const honest = {
  [`${BASE}/manifests/${sum(index)}`]: index,
  [`${BASE}/manifests/${sum(manifest)}`]: manifest,
  [`${BASE}/blobs/${sum(config)}`]: config,
  [`${BASE}/blobs/${sum(layer)}`]: layer,
};
const supply = (file: ImageFile, files: Record<string, string>) =>
  pullSource(file, openWeb(registry(files))).supply({ arch: 'amd64', workDir, root: workDir, report: () => {} });

test('an image pinned by digest becomes a layout with its own blobs', async () => {
  const [supplied] = await supply(pinned, honest);
  const listing = execFileSync('tar', ['tf', supplied?.path ?? ''], { encoding: 'utf8' });
  for (const part of [manifest, config, layer]) expect(listing).toContain(`blobs/sha256/${sum(part).slice(7)}`);
  expect(listing).toContain('index.json');
  expect(supplied).toMatchObject({ origin: 'release', source: pinned.upstream });
});

test('a layer with other bytes is refused', async () => {
  await expect(supply(pinned, { ...honest, [`${BASE}/blobs/${sum(layer)}`]: 'evil' })).rejects.toMatchObject({
    loud: true,
  });
});

test('an index with other bytes is refused', async () => {
  await expect(supply(pinned, { ...honest, [`${BASE}/manifests/${sum(index)}`]: manifest })).rejects.toMatchObject({
    loud: true,
  });
});

test('an image that is not pinned is never pulled', async () => {
  await expect(supply(COREDNS.file('amd64'), honest)).rejects.toThrow('not pinned');
});
