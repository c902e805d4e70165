import { defineMatrixCase } from '../kit/case.ts';

/** The layout of the guides that keep the data of the cluster away from its control plane. */
export default defineMatrixCase({
  title: 'As the guides: etcd on a host of its own, one master and 2 minions',
  ci: true,
  hosts: { 'control-plane': 1, etcd: 1, worker: 2 },
  spec: (draft) => {
    const roles: Record<string, string[]> = {
      'cp-1': ['control-plane', 'registry', 'time-server'],
      'etcd-1': ['etcd'],
    };
    for (const host of draft.hosts) host.roles = roles[host.name] ?? ['worker'];
  },
  change: (draft) => {
    draft.phases['master'] = { apiServer: { extraArgs: { 'event-ttl': '2h0m0s' } } };
  },
});
