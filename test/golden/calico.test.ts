import { test } from 'vitest';
import calico from '../../activities/phases/calico/phase.ts';
import calicoObjects from '../../activities/phases/calico-objects.ts';
import { expectGolden, type GoldenCase } from './golden.ts';

const many = Array.from({ length: 60 }, (_, index) => ({
  name: `node-${index}`,
  address: `10.20.1.${index + 1}`,
  roles: index === 0 ? ['control-plane', 'etcd', 'registry'] : ['worker'],
}));

test.each<GoldenCase>([
  { name: 'control-plane', phases: { calico: {} } },
  { name: 'worker', host: 'worker-1', phases: { calico: {} } },
  { name: 'without-calicoctl', phases: { calico: { calicoctl: false } } },
])('calico: $name', (golden) => expectGolden(calico, golden));

test.each<GoldenCase>([
  { name: 'vxlan', phases: { calico: {} } },
  {
    name: 'bgp',
    mirror: false,
    policy: { maxUnavailableNodes: 2 },
    network: { podCidr: '172.20.0.0/14' },
    phases: {
      calico: {
        mode: 'bgp',
        natOutgoing: false,
        nodeSelector: { tier: 'web', 'example.com/zone': 'a' },
        bgp: {
          asNumber: 65_001,
          nodeMesh: false,
          peers: [
            { address: '10.20.0.1', asNumber: 65_000 },
            { address: '10.20.0.2', asNumber: 4_200_000_000, nodes: ['worker-1', 'worker-2'] },
          ],
        },
        felix: { logSeverity: 'Warning', iptablesBackend: 'auto', defaultEndpointToHostAction: 'Drop' },
      },
    },
  },
  { name: 'ipip', phases: { calico: { mode: 'ipip', blockSize: 24, typha: { replicas: 2 } } } },
  { name: 'typha-of-60-nodes', hosts: many, policy: { maxUnavailableNodes: '0%' }, phases: { calico: {} } },
])('calico-objects: $name', (golden) => expectGolden(calicoObjects, golden));
