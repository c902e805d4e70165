import type { Kysely } from 'kysely';
import type { Tables } from './schema.ts';
import { now } from './time.ts';

/**
 * What is to be remembered of a cluster from one operation to the next and stands on no host that could be lost: short
 * texts by name, such as `etcd/formed` or `machine/cp-1`. Never secrets.
 */
export interface ClusterStateStore {
  get(cluster: string, name: string): Promise<string | null>;
  /** Writes or replaces. */
  set(cluster: string, name: string, text: string): Promise<void>;
  /** Name → text of those whose name begins with the prefix. */
  list(cluster: string, prefix: string): Promise<Map<string, string>>;
  /** Forgets one note, or without a name all of the cluster. */
  remove(cluster: string, name?: string): Promise<void>;
}

export function clusterState(db: Kysely<Tables>): ClusterStateStore {
  return {
    async get(cluster, name) {
      const row = await db
        .selectFrom('notes')
        .select('text')
        .where('cluster', '=', cluster)
        .where('name', '=', name)
        .executeTakeFirst();
      return row?.text ?? null;
    },
    async set(cluster, name, text) {
      const noted_at = now();
      await db
        .insertInto('notes')
        .values({ cluster, name, text, noted_at })
        .onConflict((conflict) => conflict.columns(['cluster', 'name']).doUpdateSet({ text, noted_at }))
        .execute();
    },
    async list(cluster, prefix) {
      const rows = await db
        .selectFrom('notes')
        .select(['name', 'text'])
        .where('cluster', '=', cluster)
        .where('name', '>=', prefix)
        .orderBy('name')
        .execute();
      // Not `like`: its wildcards may stand in names.
      return new Map(rows.filter(({ name }) => name.startsWith(prefix)).map(({ name, text }) => [name, text]));
    },
    async remove(cluster, name) {
      const all = db.deleteFrom('notes').where('cluster', '=', cluster);
      await (name === undefined ? all : all.where('name', '=', name)).execute();
    },
  };
}
