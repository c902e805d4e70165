import { defineMatrixCase } from '../kit/case.ts';

/** The layout of most guides: one host with everything that serves, and two nodes that carry pods. */
export default defineMatrixCase({
  title: 'As the guides: master, etcd, registry and time on one host, and 2 nodes',
  ci: true,
  hosts: { 'control-plane': 1, worker: 2 },
  spec: (draft) => {
    draft.hosts[0]!.roles = ['control-plane', 'etcd', 'registry', 'time-server'];
    draft.hosts[1]!.labels = { 'guides.example/zone': 'a' };
    draft.hosts[2]!.labels = { 'guides.example/zone': 'b' };
  },
  change: (draft) => {
    draft.hosts[1]!.labels = { 'guides.example/zone': 'c' };
  },
  checks: [
    {
      title: 'labels of the nodes are those of the spec',
      run: async (kit) => {
        const wanted = kit.cluster.spec.hosts
          .slice(1)
          .map(({ name, labels }) => `${name} ${labels['guides.example/zone']}`);
        const { items } = await kit.get<{ items: { metadata: { name: string; labels: Record<string, string> } }[] }>(
          'nodes',
          '-l',
          'guides.example/zone',
        );
        const found = items.map(({ metadata }) => `${metadata.name} ${metadata.labels['guides.example/zone']}`);
        if (found.sort().join() !== wanted.sort().join())
          throw new Error(`${found.join()} instead of ${wanted.join()}`);
      },
    },
  ],
});
