import { defineMatrixCase } from '../kit/case.ts';

export default defineMatrixCase({
  title: 'Services in a /12, pods in a /9 with a /25 for each node, another cluster domain',
  hosts: { 'control-plane': 1, worker: 2 },
  spec: (draft) => {
    draft.network = {
      ...draft.network,
      serviceCidr: '172.16.0.0/12',
      podCidr: '100.0.0.0/9',
      nodeCidrMaskSize: 25,
      clusterDomain: 'lab.example.org',
    };
  },
  change: (draft) => {
    draft.phases['master'] = { ...draft.phases['master'], controllerManager: { logLevel: 1 } };
  },
  checks: [
    {
      title: 'services and nodes have addresses of these ranges',
      run: async (kit) => {
        const service = await kit.get<{ spec: { clusterIP: string } }>('service', 'kubernetes');
        if (service.spec.clusterIP !== '172.16.0.1') throw new Error(`kubernetes has ${service.spec.clusterIP}`);
        const nodes = await kit.get<{ items: { spec: { podCIDR: string } }[] }>('nodes');
        const parts = nodes.items.map(({ spec }) => spec.podCIDR);
        if (!parts.every((part) => /^100\..*\/25$/.test(part))) throw new Error(`parts of nodes: ${parts.join(', ')}`);
      },
    },
  ],
});
