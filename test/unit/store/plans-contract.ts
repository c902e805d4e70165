import { expect, it } from 'vitest';
import type { Store } from '../../../store/index.ts';
import { planOf, sameHost } from '../../support/temporal-plan.ts';

/** What every engine keeps of plans. */
export function plansContract(store: () => Store): void {
  it('keeps the plan of an operation, also one of 1,000 hosts; a repetition replaces it', async () => {
    const { plans } = store();
    expect(await plans.get('planned', 'op-1')).toBeNull();
    const hosts = Array.from({ length: 1000 }, (_, n) => `worker-${n}`);
    const large = planOf(
      'planned',
      Array.from({ length: 20 }, (_, n) => ({ name: `p-${n}`, hosts, needs: [sameHost('p-0')] })),
    );
    await plans.save('op-1', planOf('planned', [{ name: 'one', hosts: ['cp-1'] }]));
    await plans.save('op-1', large);
    await plans.save('op-2', planOf('planned', [{ name: 'two', hosts: ['cp-1'] }]));
    expect(await plans.get('planned', 'op-1')).toEqual(large);
    expect((await plans.get('planned', 'op-2'))?.phases).toMatchObject([{ name: 'two' }]);
    expect(await plans.get('other', 'op-1')).toBeNull();
  });
}
