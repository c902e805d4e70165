import type { Kysely } from 'kysely';
import type { Tables } from '../schema.ts';

/** What is remembered of a cluster from one operation to the next. */
export default async function notes(db: Kysely<Tables>): Promise<void> {
  await db.schema
    .createTable('notes')
    .ifNotExists()
    .addColumn('cluster', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('text', 'text', (column) => column.notNull())
    .addColumn('noted_at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('notes_pk', ['cluster', 'name'])
    .execute();
}
