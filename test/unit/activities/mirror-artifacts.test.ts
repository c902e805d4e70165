import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ArtifactResolver } from '../../../activities/artifacts/mirror-artifacts.ts';
import { KUBERNETES } from '../../../activities/kube/artifacts.ts';
import { COREDNS } from '../../../activities/phases/dns/artifacts.ts';
import { FLANNEL } from '../../../activities/phases/flannel/artifacts.ts';
import { PAUSE } from '../../../activities/phases/runtime/artifacts.ts';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { sampleCluster } from '../../golden/golden.ts';

let server: Server;
let answer: { status: number; body: string };
let reads = 0;
const path = KUBERNETES.kubelet.file('1.36.3', 'amd64').mirrorPath;
const manifest = (sha256: string) =>
  JSON.stringify({ formatVersion: 1, files: { [path]: { sha256, size: 7, origin: 'lab', source: 'test' } } });

beforeEach(async () => {
  reads = 0;
  server = createServer((_, response) => {
    reads += 1;
    response.writeHead(answer.status).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

const cluster = (): ClusterSpec => {
  const sample = sampleCluster();
  sample.spec.artifacts.mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return sample;
};

it('takes the sum from the manifest, and reads it once for a build', async () => {
  answer = { status: 200, body: manifest('b'.repeat(64)) };
  const source = new ArtifactResolver().sourceFor(cluster());
  const files = await Promise.all([1, 2, 3].map(() => source.file(KUBERNETES.kubelet, '1.36.3', 'amd64')));
  expect(files[0]).toMatchObject({ sha256: 'b'.repeat(64), size: 7, kind: 'binary' });
  expect(files[0]?.url.endsWith(`/${path}`)).toBe(true);
  expect(reads).toBe(1);
});

it('names what the mirror lacks', async () => {
  answer = { status: 200, body: manifest('b'.repeat(64)) };
  const source = new ArtifactResolver().sourceFor(cluster());
  await expect(source.file(KUBERNETES.kubelet, '1.36.9', 'amd64')).rejects.toMatchObject({ code: 'ARTIFACT_UNKNOWN' });
  expect(await source.imageFile(COREDNS, 'amd64')).toBeNull();
});

it('does not cache a failed read', async () => {
  const source = new ArtifactResolver().sourceFor(cluster());
  answer = { status: 503, body: '' };
  await expect(source.file(KUBERNETES.kubelet, '1.36.3', 'amd64')).rejects.toMatchObject({
    code: 'MIRROR_UNUSABLE',
    evidence: 'HTTP 503',
  });
  answer = { status: 200, body: '<html>' };
  await expect(source.file(KUBERNETES.kubelet, '1.36.3', 'amd64')).rejects.toMatchObject({ code: 'MIRROR_UNUSABLE' });
  answer = { status: 200, body: manifest('c'.repeat(64)) };
  expect((await source.file(KUBERNETES.kubelet, '1.36.3', 'amd64')).sha256).toBe('c'.repeat(64));
});

it('without a mirror: published sums, and nothing that has none', async () => {
  const source = new ArtifactResolver().sourceFor(sampleCluster({ mirror: false }));
  const kubelet = await source.file(KUBERNETES.kubelet, '1.36.3', 'arm64');
  expect(kubelet.sha256).toMatch(/^[0-9a-f]{64}$/);
  expect(await source.imageFile(PAUSE, 'amd64')).toBeNull();
  await expect(source.file(FLANNEL, '0.28.4', 'amd64')).rejects.toMatchObject({ code: 'ARTIFACT_UNKNOWN' });
  await expect(source.file(KUBERNETES.kubelet, '1.36.3', 's390x')).rejects.toMatchObject({ code: 'ARTIFACT_UNKNOWN' });
});
