import { type ExpressionBuilder, type Kysely, sql } from 'kysely';
import { noteRemoved } from './events.ts';
import { chainOf } from './journal-record.ts';
import type { Tables } from './schema.ts';

/** An operation's chain that its bundle holds whole, and its last link. */
export interface SealedChain {
  cluster: string;
  operation: string;
  chain: string;
  n: number;
  hash: string;
}

/**
 * Removes what is old. Nothing that belongs to an operation goes before a bundle has sealed it. `before` is ISO 8601 in
 * UTC; every method is safe to repeat and says how much it removed.
 */
export interface RetentionStore {
  /** Idempotency keys that were answered. */
  requests(before: string): Promise<number>;
  /** Events of sealed operations, and of those that are gone. */
  events(before: string): Promise<number>;
  /** Ids of tokens that have been good for nothing since then. */
  deadTokens(before: string, limit: number): Promise<string[]>;
  removeToken(id: string): Promise<void>;
  /** Chains of operations that were sealed before then; not those with a record newer than the bundle. */
  sealedChains(before: string, limit: number): Promise<SealedChain[]>;
  /** Outputs that no record names and that were not stored again since then. */
  blobs(before: string, limit: number): Promise<number>;
  /**
   * Operations that were sealed before then and whose chain was removed: bundle, tasks, their changes, plan, status. A cluster keeps the one
   * that determines its state.
   */
  operations(before: string, limit: number): Promise<number>;
}

/** chainOf() of the operation of a row of `bundles`. */
const CHAIN = sql<string>`'cluster/' || bundles.cluster || '/op/' || bundles.operation`;

/** Of an operation that a bundle has sealed, or that is gone. */
const OVER = (where: ExpressionBuilder<Tables, 'events'>) =>
  where.or([
    where.exists(
      where
        .selectFrom('bundles')
        .select('bundles.id')
        .whereRef('bundles.cluster', '=', 'events.cluster')
        .whereRef('bundles.operation', '=', 'events.operation'),
    ),
    where.not(
      where.exists(
        where
          .selectFrom('operations')
          .select('operations.id')
          .whereRef('operations.cluster', '=', 'events.cluster')
          .whereRef('operations.id', '=', 'events.operation'),
      ),
    ),
  ]);

export function retentionStore(db: Kysely<Tables>): RetentionStore {
  return {
    async requests(before) {
      const { numDeletedRows } = await db
        .deleteFrom('requests')
        .where('created_at', '<', before)
        .where('answer', 'is not', null)
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
    async events(before) {
      return await db.transaction().execute(async (tx) => {
        const { last } = await tx
          .selectFrom('events')
          .select(({ fn }) => fn.max('id').as('last'))
          .where('created_at', '<', before)
          .where(OVER)
          .executeTakeFirstOrThrow();
        if (last === null) return 0;
        const { numDeletedRows } = await tx
          .deleteFrom('events')
          .where('created_at', '<', before)
          .where('id', '<=', last)
          .where(OVER)
          .executeTakeFirst();
        await noteRemoved(tx, last);
        return Number(numDeletedRows);
      });
    },
    async deadTokens(before, limit) {
      const rows = await db
        .selectFrom('tokens')
        .select('id')
        .where((where) => where.or([where('revoked_at', '<', before), where('expires_at', '<', before)]))
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map(({ id }) => id);
    },
    async removeToken(id) {
      await db.deleteFrom('tokens').where('id', '=', id).execute();
    },
    async sealedChains(before, limit) {
      const rows = await db
        .selectFrom('bundles')
        .select(['cluster', 'operation'])
        .where('created_at', '<', before)
        .where((q) => q.exists(q.selectFrom('links').select('links.pos').where('links.chain', '=', CHAIN)))
        .where((q) =>
          q.not(
            q.exists(
              q
                .selectFrom('links')
                .innerJoin('journal', 'journal.id', 'links.record')
                .select('links.pos')
                .where('links.chain', '=', CHAIN)
                // A record without an end is of an attempt that died: the operation is over, so it stays open.
                .where((q) =>
                  q(q.fn.coalesce('journal.ended_at', 'journal.started_at'), '>', q.ref('bundles.created_at')),
                ),
            ),
          ),
        )
        .orderBy('created_at')
        .limit(limit)
        .execute();
      const chains = await Promise.all(
        rows.map(async ({ cluster, operation }): Promise<SealedChain[]> => {
          const chain = chainOf({ cluster, operation });
          const head = await db.selectFrom('chains').select(['n', 'hash']).where('id', '=', chain).executeTakeFirst();
          return head ? [{ cluster, operation, chain, ...head }] : [];
        }),
      );
      return chains.flat();
    },
    async blobs(before, limit) {
      const { numDeletedRows } = await db
        .deleteFrom('blobs')
        .where('sha256', 'in', (where) =>
          where
            .selectFrom('blobs as old')
            .select('old.sha256')
            .where((each) => each.or([each('old.used_at', 'is', null), each('old.used_at', '<', before)]))
            .where((q) =>
              q.not(
                q.exists(
                  q.selectFrom('journal').select('journal.id').whereRef('journal.stdout_sha256', '=', 'old.sha256'),
                ),
              ),
            )
            .where((q) =>
              q.not(
                q.exists(
                  q.selectFrom('journal').select('journal.id').whereRef('journal.stderr_sha256', '=', 'old.sha256'),
                ),
              ),
            )
            .limit(limit),
        )
        .where((each) => each.or([each('used_at', 'is', null), each('used_at', '<', before)]))
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
    async operations(before, limit) {
      const rows = await db
        .selectFrom('bundles')
        .select(['cluster', 'operation', 'id'])
        .where('created_at', '<', before)
        .where((q) => q.not(q.exists(q.selectFrom('links').select('links.pos').where('links.chain', '=', CHAIN))))
        .where((q) =>
          q.not(
            q.exists(
              q
                .selectFrom('clusters')
                .select('clusters.name')
                .whereRef('clusters.name', '=', 'bundles.cluster')
                .whereRef('clusters.latest_operation', '=', 'bundles.operation'),
            ),
          ),
        )
        .limit(limit)
        .execute();
      for (const { cluster, operation, id } of rows) {
        await db.transaction().execute(async (tx) => {
          const of = (table: 'tasks' | 'task_changes' | 'plans' | 'events') =>
            tx.deleteFrom(table).where('cluster', '=', cluster).where('operation', '=', operation);
          await of('tasks').execute();
          await of('task_changes').execute();
          await of('plans').execute();
          await of('events').execute();
          await tx.deleteFrom('operations').where('cluster', '=', cluster).where('id', '=', operation).execute();
          await tx.deleteFrom('bundles').where('id', '=', id).execute();
          await tx.deleteFrom('bundle_pieces').where('bundle', '=', id).execute();
        });
      }
      return rows.length;
    },
  };
}
