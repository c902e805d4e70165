import { defineMatrixCase } from '../kit/case.ts';

/** The backend that is C, from a file that the mirror builds on demand; and an MTU that is given. */
export default defineMatrixCase({
  title: 'flannel with udp, then with an MTU that the spec gives',
  hosts: { 'control-plane': 1, worker: 1 },
  with: ['flannel'],
  spec: (draft) => {
    draft.phases['flannel'] = { backend: 'udp' };
  },
  change: (draft) => {
    draft.network = { ...draft.network, mtu: 1300 };
  },
  checks: [
    {
      title: 'each node has the link of the tunnel',
      run: async ({ cluster, onHost }) => {
        for (const { name } of cluster.spec.hosts) {
          const link = await onHost(name, 'ip -d link show flannel0');
          if (!link.includes('tun')) throw new Error(`${name}: ${link}`);
        }
      },
    },
  ],
});
