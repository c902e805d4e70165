import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Artifact, ArtifactFile } from '../../activities/artifacts/artifact.ts';
import { KUBERNETES } from '../../activities/kube/artifacts.ts';
import { FLANNEL } from '../../activities/phases/flannel/artifacts.ts';
import { RUNC } from '../../activities/phases/runtime/artifacts.ts';
import { releaseSource } from '../../lab/mirror/sources/release.ts';
import { HostGate } from '../../lab/mirror/sources/web.ts';

let workDir = '';
beforeEach(async () => {
  workDir = await mkdtemp(join(tmpdir(), 'kw-release-'));
});
afterEach(() => rm(workDir, { recursive: true, force: true }));

const CONTENT = 'the release';
const SUM = createHash('sha256').update(CONTENT).digest('hex');
const fileOf = ({ file, version }: Artifact): ArtifactFile => file(version, 'amd64');
const known = (sha256: string): ArtifactFile => ({
  ...fileOf(RUNC),
  digest: { kind: 'known', sha256 },
});
const answering = (answers: Record<string, () => Response>) =>
  vi.fn<typeof fetch>((url) => {
    const answer = answers[new Request(url).url];
    return answer ? Promise.resolve(answer()) : Promise.reject(new TypeError('connect ECONNREFUSED'));
  });
const supply = (file: ArtifactFile, fetcher: typeof fetch, gate = new HostGate()) =>
  releaseSource([file], { gate, fetcher }).supply({ arch: 'amd64', workDir, root: workDir, report: () => {} });

test('a file that matches its published sum is taken', async () => {
  const file = known(SUM);
  const [supplied] = await supply(file, answering({ [file.url]: () => new Response(CONTENT) }));
  expect(supplied).toMatchObject({ mirrorPath: file.mirrorPath, origin: 'release', source: file.url });
  expect(await readFile(supplied?.path ?? '', 'utf8')).toBe(CONTENT);
});

test('a file with another sum is refused loudly', async () => {
  const file = known('0'.repeat(64));
  await expect(supply(file, answering({ [file.url]: () => new Response(CONTENT) }))).rejects.toMatchObject({
    name: 'SourceUnavailable',
    loud: true,
    message: expect.stringContaining('refused') as unknown,
  });
});

test('the checksum file beside a release is read', async () => {
  const file: ArtifactFile = {
    ...fileOf(KUBERNETES['kube-proxy']),
    digest: { kind: 'beside', url: 'https://dl.k8s.io/x.sha256' },
  };
  const fetcher = answering({
    'https://dl.k8s.io/x.sha256': () => new Response(`${SUM}  kube-proxy\n`),
    [file.url]: () => new Response(CONTENT),
  });
  expect(await supply(file, fetcher)).toHaveLength(1);
});

test('a release without a published sum is never downloaded', async () => {
  const fetcher = answering({});
  await expect(supply(fileOf(FLANNEL), fetcher)).rejects.toMatchObject({ name: 'SourceUnavailable' });
  expect(fetcher).not.toHaveBeenCalled();
});

test('the first refusal closes a host for the rest of the run; a missing file does not', async () => {
  const gate = new HostGate();
  const refused = answering({});
  await expect(supply(known(SUM), refused, gate)).rejects.toMatchObject({ loud: false });
  await expect(supply(known(SUM), refused, gate)).rejects.toThrow('not reachable');
  expect(refused).toHaveBeenCalledTimes(1);

  const open = new HostGate();
  const file = known(SUM);
  await expect(supply(file, answering({ [file.url]: () => new Response('', { status: 404 }) }), open)).rejects.toThrow(
    '404',
  );
  expect(await supply(file, answering({ [file.url]: () => new Response(CONTENT) }), open)).toHaveLength(1);
});

test('a proxy that forbids closes the host', async () => {
  const gate = new HostGate();
  const file = known(SUM);
  await expect(supply(file, answering({ [file.url]: () => new Response('', { status: 403 }) }), gate)).rejects.toThrow(
    '403',
  );
  expect(() => gate.check(file.url)).toThrow('not reachable');
});
