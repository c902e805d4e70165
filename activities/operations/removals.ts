import type { ClusterSpec } from '../../contracts/cluster.ts';
import { type FieldIssue, formatPath } from '../../contracts/issues.ts';
import { builds, isEnabled, isPlaced } from '../phases/desired.ts';
import type { Phase } from '../phases/phase.ts';

/**
 * Hosts of a cluster built from `before` that `after` no longer has, and roles that it takes from hosts where they cannot go
 * without a drain: those whose phases disrupt etcd, control planes or nodes. A build has no task on a host that left the spec,
 * so its node and its etcd member would stay. `served`: hosts that builds have gone through on; others may leave. Empty:
 * nothing. Pure. Throws SPEC_INVALID on wrong options.
 */
export function refusedRemovals(
  before: ClusterSpec,
  after: ClusterSpec,
  { phases, served }: { phases: readonly Phase[]; served: readonly string[] },
): FieldIssue[] {
  const was = before.spec.hosts.filter(({ name }) => served.includes(name));
  return was.flatMap((host) => {
    const index = after.spec.hosts.findIndex(({ name }) => name === host.name);
    if (index < 0) {
      return [{ path: 'spec.hosts', message: `has no ${host.name} any more, which is a host of the cluster` }];
    }
    const present = after.spec.hosts[index]!;
    const lost = phases.find(
      (phase) =>
        phase.disrupts !== undefined &&
        builds(phase) &&
        isEnabled(before, phase) &&
        isPlaced(before, phase, host) &&
        isEnabled(after, phase) &&
        !isPlaced(after, phase, present),
    );
    if (!lost) return [];
    const gone = host.roles.filter((role) => !present.roles.includes(role));
    return [
      {
        path: formatPath(['spec', 'hosts', index, 'roles']),
        message: `has no ${gone.join(', ')} any more: ${host.name} runs the phase ${lost.name} for it`,
      },
    ];
  });
}
