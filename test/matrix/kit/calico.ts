import { phaseOptions } from '../../../activities/phases/options.ts';
import { hostsWithRole, kubeHosts } from '../../../contracts/cluster.ts';
import type { MatrixCheck } from './case.ts';
import { type MatrixKit, until } from './kit.ts';

interface Items<Spec> {
  items: { metadata: { name: string }; spec: Spec; status?: Record<string, number> }[];
}

/** What only Calico has: its pool, a block for each node and for no other, calicoctl, and links as the mode has them. */
export const calicoChecks = (modes: { vxlanMode: string; ipipMode: string }): MatrixCheck[] => [
  { title: 'the pool of addresses is that of the spec', run: (kit) => poolIs(kit, modes) },
  { title: 'blocks belong to the nodes of the spec', run: blocksAreOfNodes },
  { title: 'Typha runs where the spec has it', run: typhaRuns },
  { title: 'calicoctl answers on a control plane', run: calicoctlAnswers },
  { title: 'packets take the way of the mode', run: (kit) => routesAre(kit, modes) },
];

/** A node that has left keeps no block: `calico-kube-controllers` takes it back. */
export const BLOCKS_TAKEN_BACK: MatrixCheck = { title: 'the blocks of the node are taken back', run: noForeignBlocks };

async function noForeignBlocks(kit: MatrixKit): Promise<void> {
  await until('blocks', 180_000, async () => {
    const { items } = await kit.get<Items<unknown>>('nodes');
    const nodes = items.map(({ metadata }) => metadata.name);
    const foreign = (await blockOwners(kit)).filter((owner) => !nodes.includes(owner));
    return foreign.length === 0 ? null : `blocks of ${foreign.join(', ')}, which left`;
  });
}

async function blockOwners(kit: MatrixKit): Promise<string[]> {
  const { items } = await kit.get<Items<{ node: string }>>('blockaffinities.crd.projectcalico.org');
  return [...new Set(items.map(({ spec }) => spec.node))];
}

async function poolIs(kit: MatrixKit, modes: object): Promise<void> {
  const { items } = await kit.get<Items<Record<string, unknown>>>('ippools.crd.projectcalico.org');
  const wanted = { cidr: kit.cluster.spec.network.podCidr, ...modes };
  const found = items.map(({ spec }) => spec);
  const differs = Object.entries(wanted).filter(([key, value]) => found[0]?.[key] !== value);
  if (items.length !== 1 || differs.length > 0) throw new Error(`pools: ${JSON.stringify(found)}`);
}

async function blocksAreOfNodes(kit: MatrixKit): Promise<void> {
  const nodes = kubeHosts(kit.cluster).map(({ name }) => name);
  await until('blocks', 120_000, async () => {
    const owners = await blockOwners(kit);
    return owners.sort().join() === nodes.sort().join()
      ? null
      : `blocks of ${owners.join(', ')}, nodes ${nodes.join(', ')}`;
  });
}

async function typhaRuns(kit: MatrixKit): Promise<void> {
  const phase = kit.phases.find(({ name }) => name === 'calico')!;
  const { typha } = phaseOptions(kit.cluster, phase) as { typha: { replicas?: number } };
  const { items } = await kit.get<Items<unknown>>('deployments', '-n', 'kube-system');
  const found = items.find(({ metadata }) => metadata.name === 'calico-typha')?.status?.['readyReplicas'] ?? 0;
  if (found !== (typha.replicas ?? 0)) throw new Error(`${found} ready, wanted ${typha.replicas ?? 0}`);
}

async function calicoctlAnswers(kit: MatrixKit): Promise<void> {
  const host = hostsWithRole(kit.cluster, 'control-plane')[0]!.name;
  const nodes = await kit.onHost(host, 'calicoctl get nodes');
  const missing = kubeHosts(kit.cluster).filter(({ name }) => !nodes.includes(name));
  if (missing.length > 0) throw new Error(`calicoctl get nodes: ${nodes}`);
}

/** A route to the block of each other node: through the link of VXLAN, or through the network of the hosts by BIRD. */
async function routesAre(kit: MatrixKit, { vxlanMode }: { vxlanMode: string }): Promise<void> {
  const { podCidr } = kit.cluster.spec.network;
  const word = vxlanMode === 'Always' ? 'dev vxlan.calico' : 'proto bird';
  const others = kubeHosts(kit.cluster).length - 1;
  for (const { name } of kubeHosts(kit.cluster)) {
    await until(`routes of ${name}`, 60_000, async () => {
      const routes = await kit.onHost(name, `ip route show root ${podCidr}`);
      const fitting = routes.split('\n').filter((line) => line.includes(' via ') && line.includes(word));
      return fitting.length >= others ? null : routes;
    });
  }
}
