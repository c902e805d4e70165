import type { GuardWorld, OperationKind, SpecChange } from '../activities/operations/operation-kind.ts';
import { keepRunningCluster } from '../activities/operations/spec-changes.ts';
import type { ApiDeps } from './deps.ts';
import { phaseValidator } from './validate-phases.ts';

/** What the guards of kinds may look at, of one cluster. */
export function guardWorld({ phases, store: { projections } }: ApiDeps, cluster: string): GuardWorld {
  return {
    phases,
    validatePhases: phaseValidator(phases),
    quarantined: async () => (await projections.quarantine(cluster)).map(({ host }) => host),
    wasBuilt: () => projections.wasBuilt(cluster),
    served: () => projections.servedHosts(cluster),
    state: async () => (await projections.cluster(cluster))?.state ?? null,
  };
}

/** May an operation of this kind give its cluster this spec in the place of the one that it has? Throws what the kind's guard throws. */
export async function requireSpec(deps: ApiDeps, kind: OperationKind, change: SpecChange): Promise<void> {
  const guard = kind.guardSpec ?? keepRunningCluster;
  await guard(change, guardWorld(deps, change.after.metadata.name));
}
