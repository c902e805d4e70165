import type { Kysely } from 'kysely';
import type { ClusterSpec } from '../contracts/cluster.ts';
import { hostAddresses } from '../contracts/host-addresses.ts';
import { ipv4 } from '../contracts/primitives.ts';
import type { Tables } from './schema.ts';

/** Rows of 6 values in one statement: below the limits of bound values of PostgreSQL and SQLite. */
const ROWS = 500;

/** Keep where the hosts of a spec are. Safe to repeat. */
export async function putAddresses(db: Kysely<Tables>, specRef: string, cluster: ClusterSpec): Promise<void> {
  const rows = cluster.spec.hosts.flatMap((host) =>
    hostAddresses(cluster, host).map((each) => ({
      spec_ref: specRef,
      ...each,
      is_name: ipv4.safeParse(each.address).success ? 0 : 1,
    })),
  );
  for (let from = 0; from < rows.length; from += ROWS) {
    await db
      .insertInto('spec_addresses')
      .values(rows.slice(from, from + ROWS))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}
