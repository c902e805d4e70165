import { defineMatrixCase } from '../kit/case.ts';

/** The address of the lab's network that no host has (`lab/subnet.ts`). */
const virtualAddress = (address: string): string => address.replace(/\d+$/, '9');

/** The layout of the guides for high availability: balancers on the masters, and one address that moves between them. */
export default defineMatrixCase({
  title: 'As the guides: 3 masters with etcd behind a virtual address, and a node',
  hosts: { 'control-plane': 3, worker: 1 },
  spec: (draft) => {
    for (const host of draft.hosts) if (host.name.startsWith('cp-')) host.roles.push('load-balancer');
    // The API servers have the port 6443 on the same hosts.
    draft.controlPlane = { endpoint: { host: virtualAddress(draft.hosts[0]!.address), port: 8443 } };
  },
  change: (draft) => {
    draft.phases['master'] = { apiServer: { extraArgs: { 'event-ttl': '2h0m0s' } } };
  },
  checks: [
    {
      title: 'the kubeconfig leads to the virtual address',
      run: async (kit) => {
        const text = await kit.kubectl(['config', 'view', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}']);
        const wanted = `https://${virtualAddress(kit.cluster.spec.hosts[0]!.address)}:8443`;
        if (text !== wanted) throw new Error(`${text} instead of ${wanted}`);
      },
    },
  ],
});
