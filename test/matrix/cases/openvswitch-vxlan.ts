import { defineMatrixCase } from '../kit/case.ts';
import { JOINS_AGAIN, tunnelsOfSpec } from '../kit/openvswitch.ts';

export default defineMatrixCase({
  title: 'Open vSwitch with VXLAN; then a smaller MTU',
  hosts: { 'control-plane': 1, worker: 2 },
  spec: (draft) => {
    draft.phases['openvswitch'] = { tunnel: 'vxlan', datapath: 'userspace', tunnelCidr: '198.18.0.0/16' };
  },
  change: (draft) => {
    draft.network = { ...draft.network, mtu: 1300 };
  },
  checks: [tunnelsOfSpec],
  afterRemoval: [JOINS_AGAIN],
});
