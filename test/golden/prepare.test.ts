import { test } from 'vitest';
import prepare from '../../activities/phases/prepare/phase.ts';
import { expectGolden, type GoldenCase } from './golden.ts';

const noRoles = [
  { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd'] },
  { name: 'images', address: '10.20.0.19', roles: ['registry'] },
];

const threeControlPlanes = [
  ...[1, 2, 3].map((n) => ({ name: `cp-${n}`, address: `10.20.0.1${n}`, roles: ['control-plane', 'etcd'] })),
  { name: 'worker-1', address: '10.20.0.21', roles: ['worker'] },
  { name: 'worker-2', address: '10.20.0.22', roles: ['worker'] },
];

test.each<GoldenCase>([
  { name: 'worker' },
  {
    name: 'container-swap-kept',
    facts: { virtualization: 'systemd-nspawn' },
    phases: { nodes: { kubelet: { config: { failSwapOn: false } } } },
  },
  { name: 'worker-of-three-control-planes', hosts: threeControlPlanes, host: 'worker-1' },
  { name: 'proxy', proxy: { http: 'http://proxy.example.com:3128' } },
  {
    name: 'selinux',
    facts: { packageManager: 'dnf', selinux: 'enforcing' },
    phases: {
      runtime: { containerd: { root: '/data/containerd' } },
      nodes: { kubelet: { extraArgs: { 'root-dir': '/data/kubelet' } } },
    },
  },
  { name: 'registry-only', hosts: noRoles, host: 'images' },
  {
    name: 'options',
    phases: {
      prepare: { hostname: false, packages: ['jq'], sysctls: { 'vm.max_map_count': '262144' } },
      chrony: { provider: 'none' },
      nodes: { kubeProxy: { config: { mode: 'ipvs' } } },
    },
  },
])('prepare: $name', (golden) => expectGolden(prepare, golden));
