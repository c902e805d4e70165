import fc from 'fast-check';
import type { Need, Plan } from '../../../contracts/plan.ts';
import { type PhaseSketch, planOf } from '../../support/temporal-plan.ts';

/** Any plan without circles: needs point to earlier phases, to phases that are not in the plan, on any scope. */
export const plansOf = (hosts: string[]): fc.Arbitrary<Plan> =>
  fc
    .array(
      fc.record({
        hosts: fc.oneof(
          { weight: 6, arbitrary: fc.subarray(hosts, { minLength: 1 }) },
          { weight: 3, arbitrary: fc.constant(hosts) },
          { weight: 1, arbitrary: fc.constant<string[]>(['cluster']) },
        ),
        needs: fc.array(
          fc.record({
            back: fc.integer({ min: 1, max: 12 }),
            on: fc.constantFrom('same-host', 'every-host', 'quorum', 'any-host') as fc.Arbitrary<Need['on']>,
          }),
          { maxLength: 4 },
        ),
        maxParallel: fc.oneof(fc.integer({ min: 1, max: hosts.length }), fc.constant(hosts.length)),
      }),
      { minLength: 1, maxLength: 10 },
    )
    .chain((drafts) => fc.tuple(fc.constant(drafts), fc.integer({ min: 1, max: 12 })))
    .map(([drafts, maxParallel]) =>
      planOf(
        'c',
        drafts.map(
          (draft, index): PhaseSketch => ({
            name: `p${index}`,
            hosts: draft.hosts,
            needs: draft.needs.map(({ back, on }) => ({ phase: `p${index - back}`, on })),
            maxParallel: draft.maxParallel,
          }),
        ),
        { maxParallel },
      ),
    );

/** An independent reading of what a need means, straight from the contract's words. */
export function met(plan: Plan, need: Need, host: string, done: ReadonlySet<string>): boolean {
  const target = plan.phases.find((phase) => phase.name === need.phase);
  if (!target) return true;
  const count = target.hosts.filter((each) => done.has(`${need.phase}:${each}`)).length;
  switch (need.on) {
    case 'any-host':
      return count > 0;
    case 'quorum':
      return count * 2 > target.hosts.length;
    case 'every-host':
      return count === target.hosts.length;
    case 'same-host':
      if (target.hosts[0] === 'cluster') return count === 1;
      return !target.hosts.includes(host) || done.has(`${need.phase}:${host}`);
  }
}
