import { makeBuildPlan } from './build.ts';
import { makeHealPlan } from './heal.ts';
import type { PlanMaker } from './plan-phases.ts';
import { makeTeardownPlan } from './teardown.ts';

/** One file per kind. */
const MAKERS: Readonly<Record<string, PlanMaker>> = {
  build: makeBuildPlan,
  check: makeBuildPlan,
  heal: makeHealPlan,
  teardown: makeTeardownPlan,
};

/** The plan of an operation, whatever its kind. */
export const makePlan: PlanMaker = (input, cluster, phases, world) =>
  MAKERS[input.kind]!(input, cluster, phases, world);
