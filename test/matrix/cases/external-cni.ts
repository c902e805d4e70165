import { defineMatrixCase } from '../kit/case.ts';
import { installUserNetwork, removeUserNetwork } from '../kit/user-network.ts';

export default defineMatrixCase({
  title: 'A pod network that the user installs with kubectl',
  hosts: { 'control-plane': 1, worker: 2 },
  spec: (draft) => {
    draft.phases['external-network'] = {};
  },
  change: (draft) => {
    draft.phases['dns'] = { ...draft.phases['dns'], replicas: 1 };
  },
  whileBuilding: installUserNetwork,
  cleanUp: removeUserNetwork,
});
