import { BLOCKS_TAKEN_BACK, calicoChecks } from '../kit/calico.ts';
import { defineMatrixCase } from '../kit/case.ts';

export default defineMatrixCase({
  title: 'Calico with VXLAN; then with Typha before the API server',
  hosts: { 'control-plane': 1, worker: 2 },
  with: ['calico'],
  spec: (draft) => {
    draft.phases['calico'] = {};
  },
  change: (draft) => {
    draft.phases['calico'] = { typha: { replicas: 1 } };
  },
  afterRemoval: [BLOCKS_TAKEN_BACK],
  checks: calicoChecks({ vxlanMode: 'Always', ipipMode: 'Never' }),
});
