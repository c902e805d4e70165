import type { GuardWorld, OperationKind, SpecChange } from '../activities/operations/operation-kind.ts';
import { keepRunningCluster } from '../activities/operations/spec-changes.ts';
import { newSpecIssuesOf } from '../activities/phases/capabilities.ts';
import type { ClusterSpec } from '../contracts/cluster.ts';
import { specInvalid } from '../contracts/spec-parse.ts';
import type { ApiDeps } from './deps.ts';
import { phaseValidator, rolesOfOffPhases } from './validate-phases.ts';

/** What the guards of kinds may look at, of one cluster. */
export function guardWorld({ phases, store: { projections } }: ApiDeps, cluster: string): GuardWorld {
  return {
    phases,
    validatePhases: phaseValidator(phases),
    quarantined: async () => (await projections.quarantine(cluster)).map(({ host }) => host),
    wasBuilt: () => projections.wasBuilt(cluster),
    served: async () => (await projections.built(cluster))?.served ?? [],
    state: async () => (await projections.cluster(cluster))?.state ?? null,
  };
}

/** May an operation of this kind give its cluster this spec in the place of the one that it has? Throws what the kind's guard throws. */
export async function requireSpec(deps: ApiDeps, kind: OperationKind, change: SpecChange): Promise<void> {
  const guard = kind.guardSpec ?? keepRunningCluster;
  await guard(change, guardWorld(deps, change.after.metadata.name));
}

/**
 * Refuses in a new or changed spec what clusters of earlier versions may have, and keep. `before`: the spec that the cluster has.
 * Throws SPEC_INVALID.
 */
export function requireNewRules({ phases }: ApiDeps, spec: ClusterSpec, before: ClusterSpec | null): void {
  const issues = [...newSpecIssuesOf(spec, before, phases), ...rolesOfOffPhases(spec, before, phases)];
  if (issues.length > 0) throw specInvalid(issues);
}
