import type { Kysely } from 'kysely';
import { type Plan, plan as planSchema } from '../contracts/plan.ts';
import { packed, unpacked } from './packed.ts';
import type { Tables } from './schema.ts';
import { now } from './time.ts';

/** The plan of each operation, as its workflow got it. Removed with the operation. */
export interface PlanStore {
  /** Keep the plan of an operation. One that is stored already is replaced: the activity that makes it may be repeated. */
  save(operation: string, plan: Plan): Promise<void>;
  /** Null: it is not made yet, or a version that stored no plans made it. */
  get(cluster: string, operation: string): Promise<Plan | null>;
}

export function planStore(db: Kysely<Tables>): PlanStore {
  return {
    async save(operation, plan) {
      const kept = { data: packed(plan), created_at: now() };
      await db
        .insertInto('plans')
        .values({ cluster: plan.cluster, operation, ...kept })
        .onConflict((conflict) => conflict.columns(['cluster', 'operation']).doUpdateSet(kept))
        .execute();
    },
    async get(cluster, operation) {
      const row = await db
        .selectFrom('plans')
        .select('data')
        .where('cluster', '=', cluster)
        .where('operation', '=', operation)
        .executeTakeFirst();
      return row ? planSchema.parse(unpacked(row.data)) : null;
    },
  };
}
