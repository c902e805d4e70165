import { type ClusterSpec, hostsWithRole } from '../../contracts/cluster.ts';
import type { Role } from '../../contracts/host.ts';
import { majority, type QuorumGroup } from '../../contracts/quorum.ts';

/** Roles that a cluster cannot do without, and how many hosts of each it needs. */
const ROLES: readonly { role: Role; what: string; least: (count: number) => number }[] = [
  { role: 'etcd', what: 'etcd members', least: majority },
  { role: 'control-plane', what: 'control planes', least: () => 1 },
  // Clients reach the API servers through them.
  { role: 'load-balancer', what: 'load balancers', least: () => 1 },
  // Every node pulls its images from it, and every other host follows its time.
  { role: 'registry', what: 'registry hosts', least: () => 1 },
  { role: 'time-server', what: 'time servers', least: () => 1 },
];

/** What quarantine must leave of a cluster. Pure. */
export function quorumGroups(cluster: ClusterSpec): QuorumGroup[] {
  const names = (role: Role) => hostsWithRole(cluster, role).map(({ name }) => name);
  return ROLES.map(({ role, what, least }) => {
    const hosts = names(role);
    return { what, hosts, least: least(hosts.length) };
  }).filter(({ hosts }) => hosts.length > 0);
}

/** `spec.policy.maxQuarantined` as a number of hosts: a percentage is rounded up. */
export function maxQuarantined(cluster: ClusterSpec): number {
  const { policy, hosts } = cluster.spec;
  if (typeof policy.maxQuarantined === 'number') return policy.maxQuarantined;
  return Math.ceil((Number.parseInt(policy.maxQuarantined, 10) * hosts.length) / 100);
}
