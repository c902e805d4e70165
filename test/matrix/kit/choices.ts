import { engineOf } from '../../../activities/phases/capabilities/control-plane.ts';
import { enabledProvidersOf } from '../../../activities/phases/capabilities.ts';
import { PROXY_MODES, type ProxyMode } from '../../../activities/phases/nodes/kube-proxy.ts';
import type { Phase } from '../../../activities/phases/phase.ts';
import { providesOf } from '../../../activities/phases/provides.ts';
import { type ClusterSpec, hostsWithRole } from '../../../contracts/cluster.ts';
import { DEFAULT_SYSTEM, LAB_SYSTEMS } from '../../../lab/systems.ts';
import type { MatrixCase, SpecDraft } from './case.ts';
import { useExternalEtcd } from './external-etcd.ts';
import { runtimeOptions } from './runtime-options.ts';
import { withoutTimeServer } from './time.ts';

/** The families of systems that lab hosts have, and a system of each. */
const SYSTEM_OF_FAMILY = {
  debian: DEFAULT_SYSTEM,
  rhel: LAB_SYSTEMS.find(({ rpm }) => rpm)!.name,
} as const;
type Family = keyof typeof SYSTEM_OF_FAMILY;

/** A case that is being put together: its hosts are what the lab proposes for one control plane and two workers. */
export interface CaseDraft {
  spec: SpecDraft;
  os: string;
}

/** A question that every spec answers, with all answers that the product knows. */
export interface Dimension {
  name: string;
  values: readonly string[];
  /** Those that a machine refuses where its kernel lacks something: no other two choices of such a case have met there. */
  mayBeRefused?: readonly string[];
  /** The answer of a case. */
  of(cluster: ClusterSpec, each: Pick<MatrixCase, 'os'>): string;
  /** Gives a draft the answer. */
  choose(draft: CaseDraft, value: string): void;
}

/** Every dimension whose values meet those of every other one in a case, made from the phases: a new provider is a new value. */
export function dimensionsOf(phases: readonly Phase[]): Dimension[] {
  return [
    ofProviders(phases, { name: 'network', capability: 'pod-network' }),
    ofProviders(phases, { name: 'runtime', capability: 'container-runtime' }),
    engine,
    proxy,
    ofProviders(phases, { name: 'time', capability: 'time-synchronization', none: 'none' }),
    hosts,
    store,
  ];
}

/** What a provider cannot have of the spec that the lab proposes is taken out of it. */
const FIT_SPEC: Readonly<Record<string, (spec: SpecDraft) => void>> = { 'systemd-timesyncd': withoutTimeServer };

/** A choice between phases. `none`: the value of a cluster without any. */
function ofProviders(
  phases: readonly Phase[],
  { name, capability, none }: { name: string; capability: string; none?: string },
): Dimension {
  const providers = phases.filter((phase) => providesOf(phase).includes(capability) && phase.onDemand !== true);
  return {
    name,
    values: [...providers.map((phase) => phase.name), ...(none === undefined ? [] : [none])],
    of: (cluster) => enabledProvidersOf(cluster, capability, phases)[0]?.name ?? none ?? 'none',
    choose: ({ spec }, value) => {
      const proposed = capability === 'container-runtime' ? runtimeOptions(spec) : {};
      // What the lab proposes for one provider is no choice of another.
      for (const phase of providers) if (phase.name !== value) delete spec.phases[phase.name];
      const chosen = providers.find((phase) => phase.name === value);
      if (chosen?.optional === 'when-named') spec.phases[value] ??= proposed;
      FIT_SPEC[value]?.(spec);
      if (!chosen)
        for (const phase of providers) if (phase.optional === true) spec.phases[phase.name] = { enabled: false };
    },
  };
}

const engine: Dimension = {
  name: 'engine',
  values: ['binaries', 'kubeadm'],
  of: engineOf,
  choose: ({ spec }, value) => {
    if (value !== 'binaries') spec.controlPlane = { ...spec.controlPlane, engine: value };
  },
};

const proxyOf = (phases: Record<string, Record<string, unknown>>) =>
  (phases['nodes']?.['kubeProxy'] ?? {}) as Record<string, unknown>;

const proxy: Dimension = {
  name: 'proxy',
  values: PROXY_MODES,
  mayBeRefused: ['ipvs'],
  of: (cluster) => (proxyOf(cluster.spec.phases)['mode'] as ProxyMode | undefined) ?? PROXY_MODES[0],
  choose: ({ spec }, value) => {
    spec.phases['nodes'] = { ...spec.phases['nodes'], kubeProxy: { ...proxyOf(spec.phases), mode: value } };
  },
};

/** The family of a system of the lab. */
export const familyOfSystem = (os: string): Family =>
  LAB_SYSTEMS.find(({ name }) => name === os)?.rpm ? 'rhel' : 'debian';

const hosts: Dimension = {
  name: 'hosts',
  values: Object.keys(SYSTEM_OF_FAMILY),
  of: (_, { os = DEFAULT_SYSTEM }) => familyOfSystem(os),
  choose: (draft, value) => {
    draft.os = SYSTEM_OF_FAMILY[value as Family];
  },
};

/** Where the data of the cluster is. */
const store: Dimension = {
  name: 'etcd',
  values: ['stacked', 'apart', 'external'],
  of: (cluster) => {
    const members = hostsWithRole(cluster, 'etcd');
    if (members.length === 0) return 'external';
    return members.every(({ roles }) => !roles.includes('control-plane')) ? 'apart' : 'stacked';
  },
  choose: ({ spec }, value) => {
    if (value === 'external') return useExternalEtcd(spec);
    for (const host of spec.hosts) host.roles = host.roles.filter((role) => role !== 'etcd');
    if (value === 'stacked') spec.hosts[0]!.roles.push('etcd');
    if (value === 'apart') spec.hosts.at(-1)!.roles = ['etcd'];
  },
};
