import { type ClusterSpec, hostsWithRole } from '../../contracts/cluster.ts';
import type { Role } from '../../contracts/host.ts';
import { majority, type QuorumGroup } from '../../contracts/quorum.ts';
import { controlPlaneEndpoint } from '../phases/capabilities/control-plane-endpoint.ts';
import { enabledProvidersOf } from '../phases/capabilities.ts';
import type { Phase } from '../phases/phase.ts';

interface QuorumRole {
  role: Role;
  what: string;
  /** How many of so many hosts are needed. */
  least: (count: number) => number;
  /** Only where the endpoint of the API servers is provided on hosts of the role: elsewhere they have it in name only. */
  ofEndpoint?: true;
  /** The cluster works without it once its hosts are removed. */
  mayLeave?: true;
}

/** Roles that a cluster cannot do without. */
const ROLES: readonly QuorumRole[] = [
  { role: 'etcd', what: 'etcd members', least: majority },
  { role: 'control-plane', what: 'control planes', least: () => 1 },
  // Clients reach the API servers through them.
  { role: 'load-balancer', what: 'load balancers', least: () => 1, ofEndpoint: true },
  // Every node pulls its images from it, and every other host follows its time.
  { role: 'registry', what: 'registry hosts', least: () => 1 },
  { role: 'time-server', what: 'time servers', least: () => 1, mayLeave: true },
];

/** What quarantine must leave of a cluster. Pure. Throws SPEC_INVALID on wrong options. */
export const quorumGroups = (cluster: ClusterSpec, phases: readonly Phase[]): QuorumGroup[] =>
  groupsOf(cluster, phases, ROLES);

/** Groups whose last host cannot be removed. Pure. Throws SPEC_INVALID on wrong options. */
export const groupsToLeave = (cluster: ClusterSpec, phases: readonly Phase[]): QuorumGroup[] =>
  groupsOf(
    cluster,
    phases,
    ROLES.filter(({ mayLeave }) => !mayLeave),
  );

function groupsOf(cluster: ClusterSpec, phases: readonly Phase[], roles: readonly QuorumRole[]): QuorumGroup[] {
  const endpoint = enabledProvidersOf(cluster, controlPlaneEndpoint.name, phases);
  return roles.flatMap(({ role, what, least, ofEndpoint }) => {
    const hosts = hostsWithRole(cluster, role).map(({ name }) => name);
    const binds = hosts.length > 0 && (!ofEndpoint || endpoint.some((phase) => phase.hosts === role));
    return binds ? [{ what, hosts, least: least(hosts.length) }] : [];
  });
}

/** `spec.policy.maxQuarantined` as a number of hosts: a percentage is rounded up. */
export function maxQuarantined(cluster: ClusterSpec): number {
  const { policy, hosts } = cluster.spec;
  if (typeof policy.maxQuarantined === 'number') return policy.maxQuarantined;
  return Math.ceil((Number.parseInt(policy.maxQuarantined, 10) * hosts.length) / 100);
}
