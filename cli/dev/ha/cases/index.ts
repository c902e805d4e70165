import { GOALS, type HaCase, lasts } from '../case.ts';
import { PROVIDERS } from '../providers.ts';
import { balancerCases } from './balancers.ts';
import { changeCases } from './changes.ts';
import { controlPlaneCases } from './control-planes.ts';

/** What the machine itself costs: all other figures are to be compared with it. */
const nothing: HaCase = {
  name: 'nothing',
  title: 'Nothing, for comparison',
  goalMs: GOALS.planned,
  providers: PROVIDERS,
  run: lasts,
};

/** All cases, in the order in which they run: a machine that is replaced does not come back. */
export const CASES: readonly HaCase[] = [nothing, ...balancerCases, ...controlPlaneCases, ...changeCases];
