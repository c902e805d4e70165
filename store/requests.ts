import type { Kysely } from 'kysely';
import type { Tables } from './schema.ts';
import { now } from './time.ts';

/** What an Idempotency-Key was used for. `scope` is the cluster and the route. */
export interface RequestStore {
  /** The first claim of a key wins; later ones see its body and, once there is one, its answer (JSON). */
  claim(scope: string, requestId: string, bodySha256: string): Promise<{ bodySha256: string; answer: string | null }>;
  complete(scope: string, requestId: string, answer: string): Promise<void>;
}

export function requestStore(db: Kysely<Tables>): RequestStore {
  return {
    async claim(scope, requestId, bodySha256) {
      await db
        .insertInto('requests')
        .values({ scope, request_id: requestId, body_sha256: bodySha256, created_at: now() })
        .onConflict((conflict) => conflict.columns(['scope', 'request_id']).doNothing())
        .execute();
      const row = await db
        .selectFrom('requests')
        .select(['body_sha256', 'answer'])
        .where('scope', '=', scope)
        .where('request_id', '=', requestId)
        .executeTakeFirstOrThrow();
      return { bodySha256: row.body_sha256, answer: row.answer };
    },
    async complete(scope, requestId, answer) {
      await db
        .updateTable('requests')
        .set({ answer })
        .where('scope', '=', scope)
        .where('request_id', '=', requestId)
        .execute();
    },
  };
}
