import { defineMatrixCase } from '../kit/case.ts';
import { JOINS_AGAIN, REBOOT, tunnelsOfSpec } from '../kit/openvswitch.ts';

export default defineMatrixCase({
  title: 'Open vSwitch with GRE; then VXLAN on all nodes at once',
  ci: true,
  hosts: { 'control-plane': 1, worker: 2 },
  spec: (draft) => {
    draft.phases['openvswitch'] = {};
  },
  change: (draft) => {
    draft.phases['openvswitch'] = { tunnel: 'vxlan' };
  },
  checks: [tunnelsOfSpec, REBOOT],
  afterRemoval: [JOINS_AGAIN],
});
