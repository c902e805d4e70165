import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { FieldIssue } from '../../contracts/issues.ts';
import { builds, isEnabled } from '../phases/desired.ts';
import type { Phase } from '../phases/phase.ts';
import { providesOf } from '../phases/provides.ts';

/** What running pods hang on: another provider does not take them over. */
const BOUND: Readonly<Record<string, string>> = {
  'pod-network': 'the addresses and links of all running pods come from it',
  'container-runtime': 'the containers of all running pods are its own',
};

/** Addresses and names that running pods and services have. */
const NETWORK = ['podCidr', 'serviceCidr', 'clusterDomain'] as const;

const THE_WAY = 'To change it, build a new cluster and move the workloads there';

/**
 * What of `after` would cut off pods that run in a cluster built from `before`: another provider of the pod network or of
 * the container runtime, other networks. Empty: nothing. Pure.
 */
export function refusedSwitches(before: ClusterSpec, after: ClusterSpec, phases: readonly Phase[]): FieldIssue[] {
  const networks = NETWORK.filter((field) => before.spec.network[field] !== after.spec.network[field]).map((field) => ({
    path: `spec.network.${field}`,
    message: `cannot be changed in a cluster that runs: it is ${before.spec.network[field]}, which running pods and services use. ${THE_WAY}`,
  }));
  const providers = Object.entries(BOUND).flatMap(([capability, why]) => {
    const was = providersOf(before, phases, capability);
    const is = providersOf(after, phases, capability);
    const gone = was.filter((name) => !is.includes(name));
    if (gone.length === 0) return [];
    const to = is.length > 0 ? is.join(', ') : 'nothing';
    return gone.map((name) => ({
      path: `spec.phases.${name}`,
      message: `cannot be switched to ${to} in a cluster that runs: ${name} is its ${capability}, and ${why}. ${THE_WAY}`,
    }));
  });
  return [...networks, ...providers];
}

const providersOf = (cluster: ClusterSpec, phases: readonly Phase[], capability: string): string[] =>
  phases
    .filter((phase) => providesOf(phase).includes(capability) && builds(phase) && isEnabled(cluster, phase))
    .map(({ name }) => name);
