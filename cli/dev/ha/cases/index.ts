import type { HaCase } from '../case.ts';
import { balancerCases } from './balancers.ts';
import { changeCases } from './changes.ts';
import { controlPlaneCases } from './control-planes.ts';

/** All cases, in the order in which they run: a machine that is replaced does not come back. */
export const CASES: readonly HaCase[] = [...balancerCases, ...controlPlaneCases, ...changeCases];
