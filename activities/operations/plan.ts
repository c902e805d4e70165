import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { OperationInput } from '../../contracts/operation.ts';
import type { Plan } from '../../contracts/plan.ts';
import type { Phase } from '../phases/phase.ts';
import type { OperationKind, PlanWorld } from './operation-kind.ts';
import { planOfPhases } from './plan-phases.ts';

/**
 * The plan of an operation of this kind: the spec and the phases in, data out. Pure. Throws KubewrightError; ZodError for a
 * request that the kind does not know.
 */
export function makePlan(
  kind: OperationKind,
  input: OperationInput,
  cluster: ClusterSpec,
  phases: readonly Phase[],
  world: PlanWorld = { served: [] },
): Plan {
  const { hosts, phases: some, options } = input;
  const request = kind.request.parse({
    ...options,
    ...(hosts ? { hosts } : {}),
    ...(some ? { phases: some } : {}),
  });
  return planOfPhases(kind, input, phases, { cluster, ...kind.plan({ ...input, request }, cluster, world) });
}
