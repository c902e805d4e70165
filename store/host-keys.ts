import type { Kysely } from 'kysely';
import type { Tables } from './schema.ts';
import { now } from './time.ts';

/** Host keys trusted on first use, per cluster. */
export interface HostKeys {
  get(cluster: string, host: string): Promise<string | null>;
  /** Keeps the first key when there is one already: a later one must be looked at by a person. */
  record(cluster: string, host: string, key: string): Promise<void>;
  list(cluster: string): Promise<{ host: string; key: string; recordedAt: string }[]>;
  /** True when there was one. */
  forget(cluster: string, host: string): Promise<boolean>;
}

export function hostKeyStore(db: Kysely<Tables>): HostKeys {
  return {
    async get(cluster, host) {
      const row = await db
        .selectFrom('host_keys')
        .select('host_key')
        .where('cluster', '=', cluster)
        .where('host', '=', host)
        .executeTakeFirst();
      return row?.host_key ?? null;
    },
    async record(cluster, host, key) {
      await db
        .insertInto('host_keys')
        .values({ cluster, host, host_key: key, recorded_at: now() })
        .onConflict((conflict) => conflict.columns(['cluster', 'host']).doNothing())
        .execute();
    },
    async list(cluster) {
      const rows = await db
        .selectFrom('host_keys')
        .selectAll()
        .where('cluster', '=', cluster)
        .orderBy('host')
        .execute();
      return rows.map((row) => ({ host: row.host, key: row.host_key, recordedAt: row.recorded_at }));
    },
    async forget(cluster, host) {
      const { numDeletedRows } = await db
        .deleteFrom('host_keys')
        .where('cluster', '=', cluster)
        .where('host', '=', host)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    },
  };
}
