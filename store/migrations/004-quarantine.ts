import type { Kysely } from 'kysely';
import type { Tables } from '../schema.ts';

/** Hosts that a cluster goes on without. May run twice. */
export default async function quarantine(db: Kysely<Tables>): Promise<void> {
  await db.schema
    .createTable('quarantine')
    .ifNotExists()
    .addColumn('cluster', 'text', (column) => column.notNull())
    .addColumn('host', 'text', (column) => column.notNull())
    .addColumn('record', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('quarantine_pk', ['cluster', 'host'])
    .execute();
}
