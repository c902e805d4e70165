import { expect, it } from 'vitest';
import { clusterSpec } from '../../../contracts/cluster.ts';
import type { SpecDraft } from '../../matrix/kit/case.ts';
import type { MatrixKit } from '../../matrix/kit/kit.ts';
import { proposedSpec } from '../../matrix/kit/proposed-spec.ts';
import { installUserNetwork } from '../../matrix/kit/user-network.ts';

it('the network of a user waits for the nodes, and not for a host that has etcd alone', async () => {
  const document = proposedSpec({ hosts: { 'control-plane': 1, etcd: 1, worker: 1 } });
  const draft = document.spec as unknown as SpecDraft;
  const nodes = draft.hosts.filter(({ name }) => !name.startsWith('etcd-'));
  expect(nodes).toHaveLength(draft.hosts.length - 1);
  const applied: object[] = [];
  const kit = {
    cluster: clusterSpec.parse(document),
    get: async () => ({
      items: nodes.map(({ name, address }, index) => ({
        metadata: { name },
        spec: { podCIDR: `10.244.${index}.0/24` },
        status: { addresses: [{ type: 'InternalIP', address }] },
      })),
    }),
    image: async () => 'registry.example/busybox:1',
    apply: async (objects: readonly object[]) => void applied.push(...objects),
  } as unknown as MatrixKit;
  await installUserNetwork(kit);
  const map = applied.find((object) => 'data' in object) as { data: { nodes: string } };
  expect(map.data.nodes).toBe(
    nodes.map(({ name, address }, index) => `${name} ${address} 10.244.${index}.0/24\n`).join(''),
  );
});
