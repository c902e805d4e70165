import { FAMILIES, packageNames } from '../../activities/host/family/families.ts';
import { phaseOptions } from '../../activities/phases/options.ts';
import type { Phase } from '../../activities/phases/phase.ts';
import { placementOf } from '../../activities/phases/placement.ts';
import type { RequiredPort, Requirements } from '../../activities/phases/requires.ts';
import { clusterSpec } from '../../contracts/cluster.ts';

/** A cluster with every role, and the options as they are when a spec says nothing. */
const sample = clusterSpec.parse({
  apiVersion: 'kubewright.dev/v1alpha1',
  kind: 'Cluster',
  metadata: { name: 'sample' },
  spec: {
    hosts: [
      {
        name: 'host',
        address: '192.0.2.1',
        roles: ['control-plane', 'etcd', 'worker', 'registry', 'time-server'],
      },
    ],
    ssh: { credential: { keyFile: '/root/.ssh/id_ed25519' } },
  },
});

function requirementsOf(phase: Phase): Requirements {
  const host = placementOf(sample, phase.hosts)[0] ?? sample.spec.hosts[0]!;
  return phase.requires?.({ cluster: sample, host, options: phaseOptions(sample, phase) }) ?? {};
}

const portWords = ({ port, protocol, what, from, on }: RequiredPort): string => {
  const sources = from.length > 0 ? `from ${from.join(', ')}` : 'from the host itself';
  return `${port}/${protocol} (${what}, ${sources}${on === undefined ? '' : `, on ${on}`})`;
};

/** What the phase requires with its default options, each part as a label and its entries. Parts that it does not have are left out. */
export function requirementParts(phase: Phase): { label: string; short: string; entries: string[] }[] {
  const all = requirementsOf(phase);
  const names = [...(all.packages ?? []), ...(all.deferredPackages ?? [])];
  const { features = [], modules = [], sysctls = {}, cgroups, ports = [], forwards = [] } = all;
  const { artifacts = [], images = [], objects = [], protocols = [], ranges = [] } = all;
  const parts = [
    ...FAMILIES.map((family, index) => ({
      label: `Packages (${family.packageTool.name})`,
      short: index === 0 ? 'packages' : '',
      entries: packageNames(family, names),
    })),
    { label: 'Kernel features', short: 'kernel', entries: features.map(({ name, reason }) => `${name} (${reason})`) },
    { label: 'Kernel modules, where they are not built in', short: '', entries: modules.map(({ name }) => name) },
    {
      label: 'Kernel settings',
      short: 'sysctls',
      entries: Object.entries(sysctls).map(([key, { value, atLeast }]) => `${key} ${atLeast ? '≥' : '='} ${value}`),
    },
    { label: 'Swap', short: '', entries: all.swapOff ? ['off'] : [] },
    {
      label: 'Control groups',
      short: '',
      entries: [...(cgroups?.controllers ?? []), ...(cgroups?.v2 ? ['v2'] : [])],
    },
    {
      label: 'Ports',
      short: ports.length > 0 ? `ports ${ports.map(({ port }) => port).join(' ')}` : '',
      entries: ports.map(portWords),
    },
    {
      label: 'Protocols',
      short: '',
      entries: protocols.map(({ protocol, what, from }) => `${protocol} (${what}, from ${from.join(', ')})`),
    },
    { label: 'Links of its own', short: '', entries: [...(all.ownLinks?.names ?? [])] },
    { label: 'Ranges of addresses', short: '', entries: ranges.map(({ range, field }) => `${range} (${field})`) },
    { label: 'Packets passed on', short: '', entries: forwards.map((source) => `from ${source}`) },
    {
      label: 'Artifacts',
      short: 'artifacts',
      entries: artifacts.map(({ artifact, version }) => `${artifact.name} ${version}`),
    },
    { label: 'Images', short: 'images', entries: images.map(({ name }) => name) },
    {
      label: 'First objects in the cluster',
      short: 'objects',
      entries: objects.map((object) => {
        const { kind, metadata } = object as { kind?: string; metadata?: { name?: string } };
        return `${kind ?? ''} ${metadata?.name ?? ''}`;
      }),
    },
  ];
  return parts
    .filter(({ entries }) => entries.length > 0)
    .map(({ entries, ...part }) => ({ ...part, entries: [...entries] }));
}
