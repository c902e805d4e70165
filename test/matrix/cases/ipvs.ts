import { defineMatrixCase } from '../kit/case.ts';

export default defineMatrixCase({
  title: 'kube-proxy in mode ipvs, refused by name where the kernel has no ip_vs; changed to iptables',
  hosts: { 'control-plane': 1, worker: 2 },
  spec: (draft) => {
    draft.phases['nodes'] = { ...draft.phases['nodes'], kubeProxy: { ...proxyOf(draft), mode: 'ipvs' } };
  },
  change: (draft) => {
    draft.phases['nodes'] = { ...draft.phases['nodes'], kubeProxy: { ...proxyOf(draft), mode: 'iptables' } };
  },
  refusal: {
    here: async (kit) => {
      const script = '[ -e /proc/net/ip_vs ] || grep -qs register_ip_vs_scheduler /proc/kallsyms || echo missing';
      return (await kit.onHost(kit.cluster.spec.hosts[0]!.name, script)).includes('missing');
    },
    code: 'KERNEL_FEATURE_MISSING',
    names: /ip_vs.*kube-proxy mode ipvs|kube-proxy mode ipvs.*ip_vs/s,
  },
});

/** Options of kube-proxy that the lab proposes for its kernel. */
const proxyOf = (draft: { phases: Record<string, Record<string, unknown>> }): object =>
  (draft.phases['nodes']?.['kubeProxy'] as object | undefined) ?? {};
