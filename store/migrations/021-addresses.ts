import type { Kysely } from 'kysely';
import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { Tables } from '../schema.ts';
import { putAddresses } from '../spec-addresses.ts';

/** Stored specs read at a time: each may be as large as a request. */
const SPECS = 50;

/** Where the hosts of each stored spec are, and who is about to use a spec. May run twice. */
export default async function addresses(db: Kysely<Tables>): Promise<void> {
  await db.schema
    .createTable('spec_addresses')
    .ifNotExists()
    .addColumn('spec_ref', 'text', (column) => column.notNull())
    .addColumn('host', 'text', (column) => column.notNull())
    .addColumn('via', 'text', (column) => column.notNull())
    .addColumn('address', 'text', (column) => column.notNull())
    .addColumn('port', 'integer', (column) => column.notNull())
    .addColumn('is_name', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('spec_addresses_pk', ['spec_ref', 'host', 'via', 'address', 'port'])
    .execute();
  await db.schema
    .createIndex('spec_addresses_address')
    .ifNotExists()
    .on('spec_addresses')
    .columns(['address', 'spec_ref'])
    .execute();
  await db.schema
    .createTable('reservations')
    .ifNotExists()
    .addColumn('cluster', 'text', (column) => column.notNull())
    .addColumn('spec_ref', 'text', (column) => column.notNull())
    .addColumn('reserved_at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('reservations_pk', ['cluster', 'spec_ref'])
    .execute();
  for (let after = ''; ; ) {
    const rows = await db
      .selectFrom('specs')
      .select(['digest', 'document'])
      .where('digest', '>', after)
      .orderBy('digest')
      .limit(SPECS)
      .execute();
    for (const { digest, document } of rows) await putAddresses(db, digest, JSON.parse(document) as ClusterSpec);
    const last = rows.at(-1);
    if (!last) return;
    after = last.digest;
  }
}
