import { test } from 'vitest';
import kubeadm from '../../activities/phases/kubeadm/phase.ts';
import kubelet from '../../activities/phases/kubeadm-kubelet/phase.ts';
import nodes from '../../activities/phases/kubeadm-nodes/phase.ts';
import stackedEtcd from '../../activities/phases/stacked-etcd/phase.ts';
import { expectGolden, type GoldenCase } from './golden.ts';

const stacked = [
  { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd', 'registry'] },
  { name: 'cp-2', address: '10.20.0.12', roles: ['control-plane', 'etcd'] },
  { name: 'cp-3', address: '10.20.0.13', roles: ['control-plane', 'etcd', 'worker'] },
  { name: 'worker-1', address: '10.20.0.14', roles: ['worker'] },
];
const apart = [
  { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'worker'] },
  { name: 'etcd-1', address: '10.20.0.12', roles: ['etcd'] },
  { name: 'worker-1', address: '10.20.0.13', roles: ['worker'] },
];
const engine = { engine: 'kubeadm' as const };

test.each<GoldenCase>([
  { name: 'stacked', engine, hosts: stacked, host: 'cp-2' },
  { name: 'external-etcd', engine, hosts: apart, host: 'cp-1' },
  {
    name: 'selinux',
    engine,
    hosts: stacked,
    host: 'cp-2',
    facts: { packageManager: 'dnf', selinux: 'enforcing' },
  },
  {
    name: 'options',
    engine,
    hosts: stacked,
    host: 'cp-3',
    facts: { cgroup: 1, virtualization: 'systemd-nspawn' },
    phases: {
      runtime: { config: { systemdCgroup: false } },
      etcd: { quotaBytes: 4_294_967_296, dataDir: '/data/etcd' },
      master: {
        apiServer: { logLevel: 3, nodePortRange: '30000-31000', extraArgs: { 'max-requests-inflight': '600' } },
        controllerManager: { bindAddress: '0.0.0.0' },
        audit: { enabled: false },
      },
      nodes: { kubelet: { config: { failCgroupV1: false } }, kubeProxy: { mode: 'iptables' } },
    },
  },
])('kubeadm: $name', (golden) => expectGolden(kubeadm, golden));

test.each<GoldenCase>([
  { name: 'control-plane', engine, hosts: stacked, host: 'cp-1' },
  { name: 'worker', engine, hosts: stacked, host: 'worker-1', phases: { nodes: { kubelet: { maxPods: 60 } } } },
])('kubelet for kubeadm: $name', (golden) => expectGolden(kubelet, golden));

test.each<GoldenCase>([
  { name: 'control-plane', engine, hosts: stacked, host: 'cp-1' },
  { name: 'worker', engine, hosts: stacked, host: 'worker-1' },
])('nodes of kubeadm: $name', (golden) => expectGolden(nodes, golden));

test.each<GoldenCase>([{ name: 'member', engine, hosts: stacked, host: 'cp-1' }])('stacked etcd: $name', (golden) =>
  expectGolden(stackedEtcd, golden),
);
