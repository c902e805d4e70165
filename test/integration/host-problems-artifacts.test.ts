import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from 'vitest';
import { CONTAINERD, RUNC } from '../../activities/phases/runtime/artifacts.ts';
import { fillDisk, restoreDisk } from '../../lab/faults.ts';
import { makeBare, onHost, packageNames, type SpecDraft, Workbench } from './support.ts';
import { fillMirror, pathOf, SmallMirror, sha256 } from './support-mirror.ts';

/** Faults of a mirror, met by the phase `runtime` on a host. The mirror serves scripts in place of binaries. */

const lab = inject('lab');
const bench = new Workbench(lab);
const mirror = new SmallMirror();
const HOST = 'worker-1';
const containerd = pathOf(CONTAINERD);
let packages: string[];

const fromMirror = (spec: SpecDraft) => {
  spec.artifacts = { mirror: mirror.url };
};
const runtime = (change: (spec: SpecDraft) => void = () => {}) => ({
  phase: 'runtime',
  host: HOST,
  change: (spec: SpecDraft) => {
    fromMirror(spec);
    change(spec);
  },
});
/** The worker may know the manifest for some seconds; a person's retry comes later. */
const goesThrough = () => vi.waitFor(() => bench.run(runtime()), { timeout: 15_000, interval: 500 });
/** What a stopped download might have left. */
const leftovers = () =>
  onHost(lab, HOST, "find /usr/local/bin /opt /run -name '.*kubewright*' -o -name 'kubewright.*' 2>/dev/null || :");

beforeAll(async () => {
  await bench.open();
  packages = await packageNames(lab, HOST);
  await makeBare(lab, HOST, packages);
  fillMirror(mirror, bench.folder);
  await mirror.start(lab.gateway);
  await bench.run({ phase: 'pki', host: 'cluster' });
});
afterEach(async () => {
  await makeBare(lab, HOST, packages);
  mirror.says.clear();
  mirror.lost.clear();
  await bench.restart();
});
afterAll(async () => {
  await mirror.stop();
  await bench.close();
});

test('a file that differs from the manifest: both checksums are reported, nothing is installed, nothing is left behind', async () => {
  const promised = { sha256: 'a'.repeat(64), size: 12 };
  mirror.says.set(containerd, promised);
  const real = mirror.files.get(containerd)!;
  await bench.stops(runtime(), {
    code: 'ARTIFACT_CHECKSUM_MISMATCH',
    retryable: false,
    cause: new RegExp(`^containerd 2\\.\\S+ from ${mirror.url}/\\S+ is not the file that it should be`),
    evidence: [
      new RegExp(`expected sha256 ${promised.sha256}, 12 bytes`),
      new RegExp(`received sha256 ${sha256(real)}, ${real.length} bytes`),
    ],
  });
  expect(await leftovers()).toBe('');
  expect(await onHost(lab, HOST, 'ls /usr/local/bin')).not.toContain('containerd');
  expect(await onHost(lab, HOST, 'systemctl is-active containerd.service || :')).toBe('inactive\n');

  mirror.says.clear();
  expect((await goesThrough()).restarts).toEqual(['containerd']);
  expect(await onHost(lab, HOST, 'systemctl is-active containerd.service')).toBe('active\n');
});

test('an artifact that the mirror does not have', async () => {
  const file = mirror.files.get(pathOf(RUNC))!;
  mirror.files.delete(pathOf(RUNC));
  await bench.stops(runtime(), {
    code: 'ARTIFACT_UNKNOWN',
    retryable: false,
    cause: new RegExp(`^the mirror ${mirror.url} has no runc 1\\.`),
    evidence: new RegExp(`looked for ${pathOf(RUNC)} in its manifest.json`),
  });
  mirror.files.set(pathOf(RUNC), file);
  await goesThrough();
});

test('a file that its manifest names and the mirror lost', async () => {
  mirror.lost.add(containerd);
  await bench.stops(runtime(), {
    code: 'ARTIFACT_UNREACHABLE',
    retryable: true,
    cause: new RegExp(`^containerd 2\\.\\S+ cannot be downloaded from ${mirror.url}/${containerd}`),
    evidence: /404/,
  });
  expect(await leftovers()).toBe('');
  mirror.lost.clear();
  await bench.run(runtime());
});

test('a mirror that is down', async () => {
  const { port } = new URL(mirror.url);
  await mirror.stop();
  await bench.stops(runtime(), {
    code: 'MIRROR_UNUSABLE',
    retryable: true,
    cause: new RegExp(`${mirror.url}/manifest.json does not answer`),
    evidence: /ECONNREFUSED/,
  });
  await mirror.start(lab.gateway, Number(port));
  await bench.run(runtime());
});

test('no room for a download', async () => {
  await fillDisk(lab, HOST, '/usr/local/bin', 1024 * 1024);
  try {
    await bench.stops(runtime(), {
      code: 'DISK_FULL',
      retryable: false,
      cause: /^\/usr\/local\/bin\S* has too little space: \d+ KiB free, \d+ KiB needed/,
      evidence: /kubewright-full +1\.0M .*\/usr\/local\/bin/,
    });
  } finally {
    await restoreDisk(lab, HOST, '/usr/local/bin');
  }
  await bench.run(runtime());
});

test('no room for our own state', async () => {
  await fillDisk(lab, HOST, '/var/lib/kubewright', 4096);
  try {
    await bench.stops(runtime(), {
      code: 'DISK_FULL',
      retryable: false,
      cause: /no space left for our own state/,
      evidence: [/No space left on device/, /\/var\/lib\/kubewright/],
    });
  } finally {
    await restoreDisk(lab, HOST, '/var/lib/kubewright');
  }
  await bench.run(runtime());
});
