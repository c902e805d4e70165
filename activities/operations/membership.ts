import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { Host, Role } from '../../contracts/host.ts';
import { builds, isEnabled, isPlaced } from '../phases/desired.ts';
import type { Phase } from '../phases/phase.ts';

/**
 * Has each host of the phase written down where one of these hosts of `cluster` is, so that its task has to run again when that
 * changes? Pure.
 */
export const writesDown = (
  cluster: ClusterSpec,
  { dependsOnAddressesOf = [] }: Pick<Phase, 'dependsOnAddressesOf'>,
  hosts: readonly string[],
): boolean => dependsOnAddressesOf.some((role) => hosts.some((name) => hasRole(cluster, name, role)));

export const hasRole = ({ spec }: ClusterSpec, name: string, role: Role): boolean =>
  spec.hosts.some((host) => host.name === name && host.roles.includes(role));

/** A phase that hands over what only one of its hosts has at a time, and that is on and has this host. */
const handsOver = (cluster: ClusterSpec, phase: Phase, host: Host): boolean =>
  phase.hooks?.handOver !== undefined && builds(phase) && isEnabled(cluster, phase) && isPlaced(cluster, phase, host);

/** Those of these hosts, all of which leave the cluster, that have something to hand over. Pure. */
export const handingOver = (cluster: ClusterSpec, names: readonly string[], phases: readonly Phase[]): string[] =>
  cluster.spec.hosts
    .filter((host) => names.includes(host.name) && phases.some((phase) => handsOver(cluster, phase, host)))
    .map(({ name }) => name);

/**
 * Hosts that had something to hand over in a cluster built from `before`, lose the phase by `after`, and stay in the cluster, while
 * the phase stays on: others go on with it. Pure.
 */
export const losingRole = (before: ClusterSpec, after: ClusterSpec, phases: readonly Phase[]): string[] =>
  after.spec.hosts
    .filter((host) => {
      const was = before.spec.hosts.find(({ name }) => name === host.name);
      return phases.some(
        (phase) =>
          was !== undefined &&
          handsOver(before, phase, was) &&
          isEnabled(after, phase) &&
          !isPlaced(after, phase, host),
      );
    })
    .map(({ name }) => name);
