import type { Kysely } from 'kysely';
import type { Tables } from '../schema.ts';

/** The one row, made by the first event, that gives events their positions, so that they grow in the order of commits. May run twice. */
export default async function eventLog(db: Kysely<Tables>): Promise<void> {
  await db.schema
    .createTable('event_log')
    .ifNotExists()
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('position', 'bigint', (column) => column.notNull())
    .addColumn('removed_to', 'text', (column) => column.notNull())
    .execute();
}
