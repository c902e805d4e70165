import type { ClusterSpec } from '../../contracts/cluster.ts';
import { type FieldIssue, formatPath } from '../../contracts/issues.ts';
import type { Phase } from './phase.ts';
import { conflictsIn } from './required.ts';
import { requirementsOn } from './requires.ts';

/**
 * What the phases that a spec chooses cannot have together on one host, by name: a port of two programs, a kernel setting of
 * two values. Hosts of the same roles and options require the same: one of them is looked at. Call it with options that are
 * valid. Pure.
 */
export function requirementIssues(cluster: ClusterSpec, phases: readonly Phase[]): FieldIssue[] {
  const seen = new Set<string>();
  return cluster.spec.hosts.flatMap((host, index) => {
    const kind = JSON.stringify([[...host.roles].sort(), host.phases]);
    if (seen.has(kind)) return [];
    seen.add(kind);
    return conflictsIn(requirementsOn(cluster, host, phases)).map((message) => ({
      path: formatPath(['spec', 'hosts', index]),
      message,
    }));
  });
}
