import { expect, it } from 'vitest';
import { kubeletLimits, shortages } from '../../activities/kube/eviction.ts';
import { phaseOptions } from '../../activities/phases/options.ts';
import { loadPhases } from '../../activities/phases/phase-loader.ts';
import { clusterSpec } from '../../contracts/cluster.ts';
import { labSpec } from '../../lab/spec.ts';
import type { LabHost } from '../../lab/types.ts';

const host: LabHost = {
  name: 'cp-1',
  address: '10.87.1.11',
  port: 22,
  user: 'root',
  sshKey: '/cache/labs/kw/id_ed25519',
  hostKey: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPVbnig7XoTVm6gAcU7iUIPUk2VwjlGdTFkoZoMNRgcB',
};

it('gives every phase options that it accepts', async () => {
  const traits = { cgroupV2: false, sysResource: false, swap: true };
  const spec = labSpec(
    { name: 'kw', hosts: [host], virtualAddress: '10.87.1.9', mirror: 'http://10.87.1.1:8090' },
    traits,
  );
  const cluster = clusterSpec.parse(spec);
  const phases = await loadPhases();
  for (const phase of phases) for (const each of cluster.spec.hosts) phaseOptions(cluster, phase, each);
  const names = phases.map(({ name }) => name);
  expect(Object.keys(cluster.spec.phases).filter((name) => !names.includes(name))).toEqual([]);
});

it('lets kubelets of a machine that is 95 % full evict nothing', () => {
  const traits = { cgroupV2: true, sysResource: true, swap: false };
  const cluster = clusterSpec.parse(
    labSpec({ name: 'kw', hosts: [host], virtualAddress: '10.87.1.9', mirror: null }, traits),
  );
  const fs = { folder: '/var/lib', device: '/dev/vda', mountPoint: '/', inodes: 100, freeInodes: 5 };
  const full = (['nodefs', 'imagefs'] as const).map((use) => ({ ...fs, use, sizeKiB: 1_000_000, freeKiB: 50_000 }));
  expect(shortages(kubeletLimits(cluster, cluster.spec.hosts[0]!), full, null)).toEqual([]);
});
