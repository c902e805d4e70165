import { type ClusterSpec, NODE_CIDR_MASK_SIZE } from '../../contracts/cluster.ts';
import type { FieldIssue } from '../../contracts/issues.ts';
import { enabledProvidersOf } from '../phases/capabilities.ts';
import { isEnabled } from '../phases/desired.ts';
import { offerOf } from '../phases/offers.ts';
import { phaseOptions } from '../phases/options.ts';
import type { Phase } from '../phases/phase.ts';
import { offeredCapabilities } from '../phases/provides.ts';

/** Addresses and names that running pods and services have. */
const networkOf = ({ spec: { network } }: ClusterSpec) => ({
  podCidr: network.podCidr,
  serviceCidr: network.serviceCidr,
  clusterDomain: network.clusterDomain,
  nodeCidrMaskSize: network.nodeCidrMaskSize ?? NODE_CIDR_MASK_SIZE,
});

const THE_WAY = 'To change it, build a new cluster and move the workloads there';

/**
 * What of `after` would cut off pods that run in a cluster built from `before`: another provider of a capability that is
 * `bound`, such as the pod network, or other networks. Empty: nothing. Pure.
 */
export function refusedSwitches(before: ClusterSpec, after: ClusterSpec, phases: readonly Phase[]): FieldIssue[] {
  const [had, has] = [networkOf(before), networkOf(after)];
  const fields = Object.keys(had) as (keyof typeof had)[];
  const networks = fields
    .filter((field) => had[field] !== has[field])
    .map((field) => ({
      path: `spec.network.${field}`,
      message: `cannot be changed in a cluster that runs: it is ${had[field]}, which running pods and services use. ${THE_WAY}`,
    }));
  const providers = [...offeredCapabilities(phases).values()].flatMap(({ name: capability, bound, chosen }) => {
    if (bound === undefined) return [];
    const [was, is] = [before, after].map((cluster) =>
      enabledProvidersOf(cluster, capability, phases).map(({ name }) => name),
    ) as [string[], string[]];
    const gone = was.filter((name) => !is.includes(name));
    if (gone.length === 0) return [];
    const to = is.length > 0 ? is.join(', ') : 'nothing';
    return gone.map((name) => ({
      path: chosen?.field ?? `spec.phases.${name}`,
      message: `cannot be switched to ${to} in a cluster that runs: ${name} is its ${capability}, and ${bound}. ${THE_WAY}`,
    }));
  });
  return [
    ...networks,
    ...providers,
    ...changedOffers(before, after, phases),
    ...phases.flatMap((phase) => changedOptions(before, after, phase)),
  ];
}

const inWords = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** Options of a phase that a running cluster keeps, where it is on before and after. */
function changedOptions(before: ClusterSpec, after: ClusterSpec, phase: Phase): FieldIssue[] {
  const { name, fixed = [] } = phase;
  if (fixed.length === 0 || !isEnabled(before, phase) || !isEnabled(after, phase)) return [];
  const [was, is] = [before, after].map((cluster) => phaseOptions(cluster, phase)) as [Json, Json];
  return fixed
    .filter(({ option, whenAbsent }) => (was[option] ?? whenAbsent) !== (is[option] ?? whenAbsent))
    .map(({ option, because, whenAbsent }) => ({
      path: `spec.phases.${name}.${option}`,
      message: `cannot be changed in a cluster that runs: it is ${inWords(was[option] ?? whenAbsent)}, and ${because}. ${THE_WAY}`,
    }));
}

/** Fields of offers that a running cluster keeps, where the provider is the same. */
function changedOffers(before: ClusterSpec, after: ClusterSpec, phases: readonly Phase[]): FieldIssue[] {
  return [...offeredCapabilities(phases).values()].flatMap((capability) => {
    const { name, bound, stays = [] } = capability;
    const [was] = enabledProvidersOf(before, name, phases);
    const [is] = enabledProvidersOf(after, name, phases);
    if (stays.length === 0 || !was || was.name !== is?.name) return [];
    const [old, now] = [before, after].map((cluster) => offerOf({ cluster, phases }, capability)) as [Json, Json];
    return stays
      .filter(({ field }) => old[field] !== now[field])
      .map(({ field, path }) => ({
        path,
        message: `cannot be changed in a cluster that runs: the ${field} of its ${name} is ${old[field]}, and ${bound}. ${THE_WAY}`,
      }));
  });
}

type Json = Record<string, unknown>;
