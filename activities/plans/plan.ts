import { KubewrightError } from '../../contracts/errors.ts';
import type { OperationKind } from '../../contracts/operation.ts';
import { makeBuildPlan } from './build.ts';
import { makeHealPlan } from './heal.ts';
import type { PlanMaker } from './plan-phases.ts';

/** One file per kind. */
const MAKERS: Readonly<Record<OperationKind, PlanMaker>> = {
  build: makeBuildPlan,
  check: makeBuildPlan,
  heal: makeHealPlan,
  teardown: ({ cluster }) => {
    throw new KubewrightError('CONFLICT', `the cluster ${cluster} cannot be torn down by this version`);
  },
};

/** The plan of an operation, whatever its kind. */
export const makePlan: PlanMaker = (input, cluster, phases) => MAKERS[input.kind](input, cluster, phases);
