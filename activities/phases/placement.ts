import { type ClusterSpec, hostsWithRole, kubeHosts } from '../../contracts/cluster.ts';
import type { Host } from '../../contracts/host.ts';
import type { PhaseHosts } from './phase.ts';

/**
 * The hosts that a phase runs on, in the order of the spec; of `one-control-plane` every host that it may be. Empty for
 * `controller`, and for a role that no host has.
 */
export function placementOf(cluster: ClusterSpec, where: PhaseHosts): Host[] {
  if (where === 'all') return cluster.spec.hosts;
  if (where === 'nodes') return kubeHosts(cluster);
  if (where === 'controller') return [];
  if (where === 'one-control-plane') return hostsWithRole(cluster, 'control-plane');
  return hostsWithRole(cluster, where);
}

/** Names of the nodes that have to be there: all that are in, or those that the operation is about. */
export function expectedNodes({
  cluster,
  quarantined,
  targetHosts,
}: {
  cluster: ClusterSpec;
  quarantined: readonly string[];
  targetHosts: readonly string[] | null;
}): string[] {
  const names = kubeHosts(cluster).map(({ name }) => name);
  return names.filter((name) => (targetHosts ? targetHosts.includes(name) : !quarantined.includes(name)));
}

/** Control planes and workers: hosts with kubelet, runtime and pods. */
export const runsPods = (host: Host): boolean => host.roles.includes('worker') || host.roles.includes('control-plane');
