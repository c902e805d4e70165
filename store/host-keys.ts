import { createHash } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Tables } from './schema.ts';
import { now } from './time.ts';

/** Host keys per cluster: recorded at first use, or confirmed by a person. */
export interface HostKeys {
  get(cluster: string, host: string): Promise<string | null>;
  /** True when a person said that the recorded key is the host's. */
  confirmed(cluster: string, host: string): Promise<boolean>;
  /** A person says that this is the host's key; it takes the place of another one. */
  confirm(cluster: string, host: string, key: string, by: string): Promise<void>;
  /** Keeps the first key when there is one already: a later one must be looked at by a person. A confirmed fingerprint becomes its key. */
  record(cluster: string, host: string, key: string): Promise<void>;
  list(cluster: string): Promise<{ host: string; key: string; recordedAt: string }[]>;
  /** True when there was one. */
  remove(cluster: string, host: string): Promise<boolean>;
}

/** `type base64` as people write its fingerprint, with and without padding. */
function fingerprints(key: string): string[] {
  const [, blob = ''] = key.split(' ');
  const padded = createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64');
  return [`SHA256:${padded}`, `SHA256:${padded.replace(/=+$/, '')}`];
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
    async confirmed(cluster, host) {
      const row = await db
        .selectFrom('host_keys')
        .select('confirmed_by')
        .where('cluster', '=', cluster)
        .where('host', '=', host)
        .executeTakeFirst();
      return (row?.confirmed_by ?? null) !== null;
    },
    async confirm(cluster, host, key, by) {
      await db
        .insertInto('host_keys')
        .values({ cluster, host, host_key: key, recorded_at: now(), confirmed_by: by })
        .onConflict((conflict) =>
          conflict.columns(['cluster', 'host']).doUpdateSet({ host_key: key, confirmed_by: by }),
        )
        .execute();
    },
    async record(cluster, host, key) {
      await db
        .insertInto('host_keys')
        .values({ cluster, host, host_key: key, recorded_at: now(), confirmed_by: null })
        .onConflict((conflict) =>
          conflict
            .columns(['cluster', 'host'])
            .doUpdateSet({ host_key: key })
            .where('host_keys.host_key', 'in', fingerprints(key)),
        )
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
    async remove(cluster, host) {
      const { numDeletedRows } = await db
        .deleteFrom('host_keys')
        .where('cluster', '=', cluster)
        .where('host', '=', host)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    },
  };
}
