import { defineBadOptions } from '../bad-options.ts';

/** Labels and taints that other programs than Kubewright keep. */
export default defineBadOptions([
  ...['kubernetes.io/hostname', 'kubernetes.io/arch', 'beta.kubernetes.io/os'].map((key) => ({
    title: `the label ${key}`,
    spec: (draft: { hosts: { labels?: Record<string, string> }[] }) => {
      draft.hosts[1]!.labels = { tier: 'web', [key]: 'x' };
    },
    code: 'SPEC_INVALID' as const,
    path: `spec.hosts[1].labels.${key}`,
    message: /is written by the kubelet of the node: choose another key$/,
  })),
  ...['node.kubernetes.io/not-ready', 'node.cloudprovider.kubernetes.io/uninitialized'].map((key) => ({
    title: `the taint ${key}`,
    spec: (draft: { hosts: { taints?: object[] }[] }) => {
      draft.hosts[1]!.taints = [
        { key: 'dedicated', effect: 'NoSchedule' },
        { key, effect: 'NoExecute' },
      ];
    },
    code: 'SPEC_INVALID' as const,
    path: 'spec.hosts[1].taints[1].key',
    message: /are set and removed by controllers of Kubernetes: choose another key$/,
  })),
]);
