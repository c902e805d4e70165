import { defineMatrixCase } from '../kit/case.ts';

/** Routes without a tunnel; the change is the one that all nodes have to make at the same time. */
export default defineMatrixCase({
  title: 'flannel with host-gw, then with VXLAN',
  ci: true,
  hosts: { 'control-plane': 1, worker: 2 },
  spec: (draft) => {
    draft.phases['flannel'] = { backend: 'host-gw' };
  },
  change: (draft) => {
    draft.phases['flannel'] = { backend: 'vxlan' };
  },
  checks: [
    {
      title: 'routes between nodes are those of the backend, and none of the other',
      run: async ({ cluster, onHost }) => {
        const backend = cluster.spec.phases['flannel']?.['backend'];
        for (const { name } of cluster.spec.hosts) {
          const routes = await onHost(name, `ip -4 route show root ${cluster.spec.network.podCidr}`);
          const ways = routes.split('\n').filter((line) => line.includes(' via '));
          const through = ways.map((line) => / dev (\S+)/.exec(line)?.[1]);
          const tunnelled = through.filter((link) => link === 'flannel.1').length;
          const wanted = backend === 'vxlan' ? cluster.spec.hosts.length - 1 : 0;
          if (ways.length !== cluster.spec.hosts.length - 1 || tunnelled !== wanted)
            throw new Error(`${name} has, with the backend ${String(backend)}, the routes:\n${routes}`);
        }
      },
    },
  ],
});
