import { test } from 'vitest';
import openvswitch from '../../activities/phases/openvswitch/phase.ts';
import { expectGolden, type GoldenCase } from './golden.ts';

test.each<GoldenCase>([
  { name: 'gre', host: 'worker-1', phases: { openvswitch: {} } },
  {
    name: 'vxlan-kernel',
    host: 'worker-2',
    network: { podCidr: '10.64.0.0/12', mtu: 8900 },
    phases: { openvswitch: { tunnel: 'vxlan', vxlanPort: 8472, datapath: 'kernel', ipMasq: false } },
  },
  {
    name: 'rhel-userspace',
    facts: { packageManager: 'dnf' },
    phases: { openvswitch: { datapath: 'userspace', tunnelCidr: '198.18.0.0/15' } },
  },
])('openvswitch: $name', (golden) => expectGolden(openvswitch, golden));
