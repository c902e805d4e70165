import { loadKinds, requireKind } from '../../activities/operations/kind-loader.ts';
import type { PlanWorld } from '../../activities/operations/operation-kind.ts';
import { makePlan as makePlanOf } from '../../activities/operations/plan.ts';
import type { Phase } from '../../activities/phases/phase.ts';
import { loadPhases } from '../../activities/phases/phase-loader.ts';
import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { OperationInput } from '../../contracts/operation.ts';
import type { Plan } from '../../contracts/plan.ts';

/** The kinds of operation of this version. */
export const kinds = await loadKinds(await loadPhases());

/** The plan of an operation, as the activity makes it. */
export const makePlan = (
  input: OperationInput,
  cluster: ClusterSpec,
  phases: readonly Phase[],
  { served = [], before = null }: Partial<PlanWorld> = {},
): Plan => makePlanOf(requireKind(kinds, input.kind), input, cluster, phases, { served, before });
