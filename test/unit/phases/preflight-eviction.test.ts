import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  amountOf,
  FILE_SYSTEMS_FUNCTION,
  imageGcShortage,
  kubeletLimits,
  parseFileSystems,
} from '../../../activities/kube/eviction.ts';
import { imageFolder } from '../../../activities/phases/image-folder.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import eviction from '../../../activities/phases/preflight/checks/eviction.ts';
import { requirementsOf, sampleCluster, sampleFacts } from '../../golden/golden.ts';

const GIB = 1024 * 1024;

interface Disk {
  sizeGiB?: number;
  freeGiB?: number;
  inodes?: number;
  freeInodes?: number;
  device?: string;
}
function fs(use: string, folder: string, disk: Disk = {}) {
  const { sizeGiB = 252, freeGiB = 200, inodes = 1_000_000, freeInodes = 900_000, device = '/dev/vda' } = disk;
  const mount = device === '/dev/vda' ? '/' : folder;
  return [
    'fs',
    use,
    folder,
    device,
    mount,
    ...[sizeGiB * GIB, freeGiB * GIB, inodes, freeInodes].map((n) => String(Math.round(n))),
  ];
}

function problems(
  {
    state = 'fresh',
    nodefs = {},
    imagefs = nodefs,
    memoryMiB = 4000,
    config = [],
  }: { state?: string; nodefs?: Disk; imagefs?: Disk; memoryMiB?: number; config?: string[] },
  kubelet: Record<string, unknown> = {},
) {
  const cluster = sampleCluster({ phases: { nodes: { kubelet } } });
  const host = cluster.spec.hosts[0]!;
  const rows = [
    ['state', state],
    ...config.map((line) => ['config', line]),
    fs('nodefs', '/var/lib/kubelet', nodefs),
    fs('imagefs', '/var/lib/containerd', imagefs),
    fs('writes', '/usr/local', nodefs),
    fs('writes', '/var/lib', nodefs),
    ['memory', String(memoryMiB * 1024), String(8000 * 1024)],
  ];
  const input = {
    cluster,
    host,
    requirements: requirementsOf(cluster, host),
    options: {} as never,
    facts: sampleFacts,
    duplicateHost: null,
    askedAtMs: 0,
    answeredAtMs: 0,
  };
  return eviction.evaluate(input, rows).map(({ code, message }) => `${code} ${message}`);
}

describe('a host is refused', () => {
  test('38 of 252 GB free: 15.1 % before the build, less than 15 % with what it writes', () => {
    expect(problems({ nodefs: { freeGiB: 38 } })).toEqual([
      'NODE_WOULD_EVICT the kubelet would evict pods at once: imagefs (/dev/vda on /, for /var/lib/containerd): 38.0 GiB of 252.0 GiB free (15.1 %), of which the build fills 1.7 GiB; the kubelet evicts pods below 15 % (37.8 GiB)',
    ]);
    // Half built already: what it wrote is no longer free, and is not counted twice.
    expect(problems({ state: 'begun', nodefs: { freeGiB: 38 } })).toEqual([]);
    expect(problems({ state: 'begun', nodefs: { freeGiB: 37 } })).toHaveLength(1);
  });

  test.each([
    [
      'the kubelet’s own file system',
      { nodefs: { freeGiB: 25, device: '/dev/vdb' }, imagefs: {} },
      /nodefs \(\/dev\/vdb on \/var\/lib\/kubelet/,
    ],
    [
      'that of images alone',
      { imagefs: { sizeGiB: 20, freeGiB: 2, device: '/dev/vdc' } },
      /imagefs \(\/dev\/vdc on \/var\/lib\/containerd/,
    ],
    ['inodes', { imagefs: { freeInodes: 40_000, device: '/dev/vdc' } }, /40000 of 1000000 inodes free \(4\.0 %\)/],
    ['memory', { memoryMiB: 90 }, /90 MiB of 7\.8 GiB memory available; the kubelet evicts pods below 100 MiB/],
  ])('%s', (_what, host, message) => {
    expect(problems(host)).toEqual([expect.stringMatching(message)]);
  });

  test.each([
    ['percent', { config: { evictionHard: { 'nodefs.available': '90%' } } }, /nodefs.*below 90 %/],
    ['quantity', { config: { evictionHard: { 'imagefs.available': '201Gi' } } }, /imagefs.*below 201\.0 GiB/],
    [
      'soft',
      {
        config: { evictionSoft: { 'nodefs.available': '230G' }, evictionSoftGracePeriod: { 'nodefs.available': '1m' } },
      },
      /nodefs.*below 214\.2 GiB/,
    ],
    [
      'flag',
      { extraArgs: { 'eviction-hard': 'memory.available<5Gi,nodefs.available<1%' } },
      /memory available.*below 5\.0 GiB/,
    ],
    [
      'merged',
      { config: { mergeDefaultEvictionSettings: true, evictionHard: { 'memory.available': '5Gi' } } },
      /5\.0 GiB/,
    ],
  ])('by thresholds of the spec: %s', (_what, kubelet, message) => {
    expect(problems({}, kubelet)).toEqual([expect.stringMatching(message)]);
  });
});

describe('a host is taken', () => {
  test('with own thresholds that accept the host; setting one replaces all defaults', () => {
    const full = { nodefs: { freeGiB: 8 } };
    expect(problems(full)).toHaveLength(2);
    expect(problems(full, { config: { evictionHard: { 'nodefs.available': '1%' } } })).toEqual([]);
    expect(
      problems(full, { config: { mergeDefaultEvictionSettings: true, evictionHard: { 'nodefs.available': '1%' } } }),
    ).toHaveLength(1);
  });

  test('on a file system without inodes (btrfs)', () => {
    expect(problems({ nodefs: { inodes: 0, freeInodes: 0 } })).toEqual([]);
  });

  test('that runs already, however full: that is health; but not for new thresholds that would empty it', () => {
    expect(problems({ state: 'joined', nodefs: { freeGiB: 5 } })).toEqual([]);
    const config = ['evictionHard:', '  nodefs.available: 1%', '  imagefs.available: 1%'];
    expect(problems({ state: 'joined', nodefs: { freeGiB: 30 }, config })).toEqual([
      expect.stringMatching(/with the thresholds that the build would set: imagefs/),
    ]);
  });
});

test('what is no threshold, or is off, counts as none', () => {
  expect(['0%', '0', 'much', '10 %', '-5%', '', '1Xi'].map((value) => amountOf(value, 100))).toEqual(
    Array(7).fill(null),
  );
  expect(['50%', '1k', '1Ki', '2e3', '1.5Gi'].map((value) => amountOf(value, 100))).toEqual([
    50,
    1000,
    1024,
    2000,
    1.5 * 1024 ** 3,
  ]);
});

test('unused images are deleted from imageGCHighThresholdPercent on', () => {
  const cluster = sampleCluster({ phases: { nodes: { kubelet: { config: { imageGCHighThresholdPercent: 70 } } } } });
  const limits = kubeletLimits(cluster, cluster.spec.hosts[0]!);
  const { fileSystems } = parseFileSystems([fs('imagefs', '/var/lib/containerd', { sizeGiB: 100, freeGiB: 20 })]);
  expect(imageGcShortage(limits, fileSystems)?.message).toMatch(
    /is 80 % used; the kubelet deletes unused images from 70 % on/,
  );
  expect(imageGcShortage({ ...limits, imageGcAbove: 100 }, fileSystems)).toBeNull();
});

test('links are followed to their file system, and a missing folder counts as its parent', () => {
  const root = mkdtempSync(join(tmpdir(), 'kubewright-fs-'));
  try {
    mkdirSync(join(root, 'var'));
    symlinkSync('/proc', join(root, 'var/containerd'));
    const input = `set -eu\nsay() { (IFS='\t'; printf '%s\\n' "$*"); }\n${FILE_SYSTEMS_FUNCTION}file_systems "$@"\n`;
    const args = ['nodefs', join(root, 'var/containerd/none/of/it'), 'imagefs', join(root, 'to/come')];
    const output = execFileSync('sh', ['-s', ...args], { input, encoding: 'utf8' });
    const { fileSystems, memoryKiB } = parseFileSystems(output.split('\n').map((line) => line.split('\t')));
    expect(fileSystems.map(({ use, mountPoint }) => [use, mountPoint])).toEqual([
      ['nodefs', '/proc'],
      ['imagefs', expect.not.stringContaining('/proc')],
    ]);
    expect(fileSystems[1]!.sizeKiB).toBeGreaterThan(fileSystems[1]!.freeKiB);
    expect(memoryKiB!.total).toBeGreaterThan(memoryKiB!.available);
  } finally {
    rmSync(root, { recursive: true });
  }
});

describe('the file system of images is that of the runtime of the cluster', async () => {
  const phases = await loadPhases();
  const folderOf = (options: Record<string, Record<string, unknown>>) => {
    const cluster = sampleCluster({ phases: options });
    return imageFolder({ cluster, phases }, cluster.spec.hosts[0]!);
  };
  test.each<[string, Record<string, Record<string, unknown>>, string]>([
    ['containerd', {}, '/var/lib/containerd'],
    ['containerd with another root', { runtime: { containerd: { root: '/srv/containerd' } } }, '/srv/containerd'],
    ['Docker', { docker: {} }, '/var/lib/docker'],
    ['Docker with another root', { docker: { dataRoot: '/srv/docker' } }, '/srv/docker'],
  ])('%s', async (_what, options, folder) => {
    expect(folderOf(options)).toBe(folder);
    const cluster = sampleCluster({ phases: options });
    const host = cluster.spec.hosts[0]!;
    const loaded = await eviction.load!({
      cluster,
      host,
      phases: new Map(phases.map((one) => [one.name, one])),
    } as never);
    const args = eviction.probe!.args({ cluster, host, requirements: [], options: {}, loaded } as never) ?? [];
    expect(args[args.indexOf('imagefs') + 1]).toBe(folder);
  });

  test('that of the kubelet where the runtime names none', () => {
    const cluster = sampleCluster({ phases: { nodes: { kubelet: { extraArgs: { 'root-dir': '/srv/kubelet' } } } } });
    expect(imageFolder({ cluster, phases: [] }, cluster.spec.hosts[0]!)).toBe('/srv/kubelet');
  });
});
