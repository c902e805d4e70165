import { test } from 'vitest';
import binaries from '../../activities/phases/binaries.ts';
import flannel from '../../activities/phases/flannel/phase.ts';
import nodes from '../../activities/phases/nodes/phase.ts';
import { expectGolden, type GoldenCase } from './golden.ts';

const reservedControlPlane = [
  { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd'] },
  {
    name: 'worker-1',
    address: '10.20.0.12',
    roles: ['worker'],
    phases: { nodes: { kubelet: { config: { maxPods: 40, authentication: { webhook: { cacheTTL: '10s' } } } } } },
  },
];

test.each<GoldenCase>([
  { name: 'worker-with-taint', host: 'worker-2' },
  {
    name: 'reserved-control-plane',
    host: 'cp-1',
    hosts: reservedControlPlane,
    phases: { nodes: { kubeProxy: { mode: 'iptables', extraArgs: { v: '2' } } }, master: { endpoint: '10.20.0.100' } },
  },
  {
    name: 'cgroup-v1-container',
    host: 'worker-1',
    hosts: reservedControlPlane,
    facts: { cgroup: 1, virtualization: 'systemd-nspawn' },
    phases: {
      runtime: { config: { systemdCgroup: false } },
      nodes: {
        kubelet: { config: { failCgroupV1: false, enforceNodeAllocatable: [], failSwapOn: false } },
        kubeProxy: { config: { conntrack: { maxPerCore: 0, min: 0 } } },
      },
    },
  },
  {
    name: 'typed-options',
    host: 'worker-1',
    phases: {
      nodes: {
        kubelet: {
          maxPods: 60,
          kubeReserved: { cpu: '100m', memory: '256Mi' },
          systemReserved: { memory: '512Mi', 'ephemeral-storage': '1Gi', pid: '500' },
          evictionHard: { 'memory.available': '200Mi', 'nodefs.available': '8%' },
          evictionSoft: { 'memory.available': { threshold: '400Mi', gracePeriod: '1m30s' } },
          staticPodPath: '/etc/kubernetes/manifests',
          featureGates: { KubeletPSI: true, AllAlpha: false },
          logLevel: 4,
        },
        kubeProxy: { mode: 'ipvs', featureGates: { AllBeta: true }, logLevel: 1 },
      },
    },
  },
  { name: 'no-proxy', host: 'worker-1', phases: { nodes: { kubeProxy: { mode: 'none' } } } },
])('nodes: $name', (golden) => expectGolden(nodes, golden));

test.each<GoldenCase>([
  { name: 'vxlan', host: 'worker-1' },
  { name: 'host-gw', phases: { flannel: { backend: 'host-gw', ipMasq: false } } },
  { name: 'udp', phases: { flannel: { backend: 'udp' } } },
  {
    name: 'wireguard',
    phases: {
      flannel: { backend: 'wireguard', wireguard: { port: 51_900, keepaliveSeconds: 25, presharedKey: true } },
    },
  },
  { name: 'mtu', network: { mtu: 1300 } },
  { name: 'etcd', host: 'worker-1', phases: { flannel: { subnetManager: 'etcd' } } },
])('flannel: $name', (golden) => expectGolden(flannel, golden));

test.each<GoldenCase>([{ name: 'control-plane' }, { name: 'worker', host: 'worker-1' }])('binaries: $name', (golden) =>
  expectGolden(binaries, golden),
);
