import { clusterSpec, kubeHosts } from '../../../contracts/cluster.ts';
import { rebootHost } from '../../../lab/faults.ts';
import type { MatrixCheck } from './case.ts';
import { STANDARD_CHECKS } from './checks.ts';
import { type MatrixKit, until } from './kit.ts';
import { build } from './operations.ts';

/** The tunnels of each node, as Open vSwitch has them. */
export const tunnelsOfSpec: MatrixCheck = {
  title: 'each node has a tunnel of the kind of the spec to each other node, and no further one',
  run: async (kit) => {
    await fullMesh(kit);
    const wanted = (kit.cluster.spec.phases['openvswitch']?.['tunnel'] as string | undefined) ?? 'gre';
    for (const { name } of kubeHosts(kit.cluster)) {
      const types = (await kit.onHost(name, TYPES)).trim().split('\n').filter(Boolean);
      if (types.some((each) => each !== wanted)) throw new Error(`tunnels on ${name}: ${types.join(', ')}`);
    }
  },
};

const TYPES = `for port in $(ovs-vsctl list-ports obr0); do ovs-vsctl get interface $port type; done`;

/** Ports are compared with the addresses of the nodes that the API server has. */
async function fullMesh(kit: MatrixKit): Promise<void> {
  await until('tunnels', 60_000, async () => {
    const { items } = await kit.get<{
      items: { metadata: { name: string }; status: { addresses: { type: string; address: string }[] } }[];
    }>('nodes');
    const nodes = items.map(({ metadata, status }) => ({
      name: metadata.name,
      port: portOf(status.addresses.find(({ type }) => type === 'InternalIP')?.address ?? ''),
    }));
    for (const { name } of nodes) {
      const found = (await kit.onHost(name, 'ovs-vsctl list-ports obr0')).trim().split('\n').filter(Boolean).sort();
      const wanted = nodes.flatMap((other) => (other.name === name ? [] : [other.port])).sort();
      if (found.join() !== wanted.join()) return `${name} has ${found.join(', ')}, wanted: ${wanted.join(', ')}`;
    }
    return null;
  });
}

const portOf = (address: string): string =>
  `kw${address
    .split('.')
    .map((octet) => Number(octet).toString(16).padStart(2, '0'))
    .join('')}`;

/** Links of the kernel are gone after a reboot: the unit makes them again before pods start. */
export const REBOOT: MatrixCheck = {
  title: 'a node that was rebooted has its network again',
  once: true,
  run: async (kit) => {
    const { name } = kubeHosts(kit.cluster).at(-1)!;
    await rebootHost(kit.bench.lab, name);
    await fullMesh(kit);
    for (const check of STANDARD_CHECKS.slice(0, 2)) await check.run(kit);
  },
};

/** The node that was removed comes back, by a build of the first spec: the others get their tunnels to it again. */
export const JOINS_AGAIN: MatrixCheck = {
  title: 'a node that joins is followed',
  run: async (kit) => {
    await fullMesh(kit);
    const all = kit.bench.lab.spec.spec.hosts;
    const missing = all.filter(({ name }) => !kit.document.spec.hosts.some((host) => host.name === name));
    if (missing.length !== 1) throw new Error(`${missing.length} hosts are out of the cluster`);
    const document = structuredClone(kit.document);
    document.spec.hosts = [...document.spec.hosts, ...missing];
    kit.document = document;
    kit.cluster = clusterSpec.parse(document);
    await build(kit);
    await fullMesh(kit);
    for (const check of STANDARD_CHECKS.slice(0, 2)) await check.run(kit);
  },
};
