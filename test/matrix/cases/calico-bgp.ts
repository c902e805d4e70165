import { BLOCKS_TAKEN_BACK, calicoChecks } from '../kit/calico.ts';
import { defineMatrixCase } from '../kit/case.ts';

export default defineMatrixCase({
  title: 'Calico with routes by BGP, without a tunnel, and kube-proxy in mode iptables',
  hosts: { 'control-plane': 1, worker: 2 },
  with: ['calico'],
  spec: (draft) => {
    draft.phases['calico'] = { mode: 'bgp' };
    draft.phases['nodes'] = { ...draft.phases['nodes'], kubeProxy: { ...proxyOf(draft.phases), mode: 'iptables' } };
  },
  change: (draft) => {
    draft.phases['calico'] = { mode: 'bgp', bgp: { asNumber: 65_001 } };
  },
  afterRemoval: [BLOCKS_TAKEN_BACK],
  checks: calicoChecks({ vxlanMode: 'Never', ipipMode: 'Never' }),
});

/** What the lab proposes for kube-proxy. */
const proxyOf = (phases: Record<string, Record<string, unknown>>) =>
  (phases['nodes']?.['kubeProxy'] ?? {}) as Record<string, unknown>;
