import type { Kysely, Transaction } from 'kysely';
import type { QuarantinedHost } from '../contracts/operation.ts';
import type { Tables } from './schema.ts';

/** Hosts in quarantine, by name. */
export async function quarantineOf(db: Kysely<Tables>, cluster: string): Promise<QuarantinedHost[]> {
  const rows = await db
    .selectFrom('quarantine')
    .select('record')
    .where('cluster', '=', cluster)
    .orderBy('host')
    .execute();
  return rows.map(({ record }) => JSON.parse(record) as QuarantinedHost);
}

/** These hosts, and no others, are in quarantine. */
export async function saveQuarantine(
  tx: Transaction<Tables>,
  cluster: string,
  hosts: readonly QuarantinedHost[],
): Promise<void> {
  const known = new Map((await quarantineOf(tx, cluster)).map((each) => [each.host, JSON.stringify(each)]));
  const wanted = new Map(hosts.map((each) => [each.host, JSON.stringify(each)]));
  for (const host of known.keys()) {
    if (wanted.has(host)) continue;
    await tx.deleteFrom('quarantine').where('cluster', '=', cluster).where('host', '=', host).execute();
  }
  for (const [host, record] of wanted) {
    if (known.get(host) === record) continue;
    await tx
      .insertInto('quarantine')
      .values({ cluster, host, record })
      .onConflict((conflict) => conflict.columns(['cluster', 'host']).doUpdateSet({ record }))
      .execute();
  }
}
