import type { ClusterSpec } from '../../contracts/cluster.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { describeIssues } from '../../contracts/issues.ts';
import type { OperationInput } from '../../contracts/operation.ts';
import type { Plan } from '../../contracts/plan.ts';
import type { Phase } from '../phases/phase.ts';
import type { OperationKind, PlanWorld } from './operation-kind.ts';
import { planOfPhases } from './plan-phases.ts';

/**
 * The plan of an operation of this kind: the spec and the phases in, data out. Pure. Throws KubewrightError, BAD_REQUEST
 * for a request that the kind does not know: another version took it.
 */
export function makePlan(
  kind: OperationKind,
  input: OperationInput,
  cluster: ClusterSpec,
  phases: readonly Phase[],
  world: Omit<PlanWorld, 'phases'> = { served: [], before: null },
): Plan {
  const { hosts, phases: some, options } = input;
  const asked = { ...options, ...(hosts ? { hosts } : {}), ...(some ? { phases: some } : {}) };
  const { data: request, error } = kind.request.safeParse(asked);
  if (error) {
    const errors = describeIssues(error, kind.request, asked);
    const [first] = errors;
    throw new KubewrightError('BAD_REQUEST', `${kind.name}: ${first?.path} ${first?.message}`, { errors });
  }
  return planOfPhases(kind, input, phases, {
    cluster,
    ...kind.plan({ ...input, request }, cluster, { ...world, phases }),
  });
}
