import type { ClusterSpec } from '../../contracts/cluster.ts';
import { type FieldIssue, formatPath } from '../../contracts/issues.ts';
import { builds, isEnabled, isPlaced } from '../phases/desired.ts';
import type { Phase } from '../phases/phase.ts';
import { placementOf } from '../phases/placement.ts';

/**
 * Hosts of a cluster built from `before` that `after` no longer has, and roles that it takes from hosts where they cannot go
 * without a drain: those whose phases disrupt etcd, control planes or nodes, and do not hand over. A build has no task on a host that left the spec,
 * so its node and its etcd member would stay. `served`: hosts that builds have gone through on; others may leave. Empty:
 * nothing. Pure. Throws SPEC_INVALID on wrong options.
 */
export function refusedRemovals(
  before: ClusterSpec,
  after: ClusterSpec,
  { phases, served }: { phases: readonly Phase[]; served: readonly string[] },
): FieldIssue[] {
  return [
    ...refusedHosts(before, after, { phases, served }),
    ...phases.flatMap((phase) => leftByAll(before, after, { phase, served })),
  ];
}

/** A phase that hands over, and stays on, would leave all hosts at once that serve: none could take over. */
function leftByAll(
  before: ClusterSpec,
  after: ClusterSpec,
  { phase, served }: { phase: Phase; served: readonly string[] },
): FieldIssue[] {
  if (!phase.hooks?.handOver || !builds(phase) || !isEnabled(before, phase) || !isEnabled(after, phase)) return [];
  const had = placementOf(before, phase.hosts).map(({ name }) => name);
  const serving = had.filter((name) => served.includes(name));
  if (serving.length === 0 || placementOf(after, phase.hosts).some(({ name }) => serving.includes(name))) return [];
  const index = after.spec.hosts.findIndex(({ name }) => serving.includes(name));
  if (index < 0) return [];
  const message = `none of the hosts that run the phase ${phase.name} now would be left with it: ${serving.join(', ')}. Change them one after the other`;
  return [{ path: formatPath(['spec', 'hosts', index, 'roles']), message }];
}

function refusedHosts(
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
        !phase.hooks?.handOver &&
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
