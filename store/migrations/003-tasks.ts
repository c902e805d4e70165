import type { Kysely } from 'kysely';
import type { Tables } from '../schema.ts';

/** A row per task: a status of a thousand hosts is too large to be written again with every change. May run twice. */
export default async function tasks(db: Kysely<Tables>): Promise<void> {
  await db.schema
    .createTable('tasks')
    .ifNotExists()
    .addColumn('cluster', 'text', (column) => column.notNull())
    .addColumn('operation', 'text', (column) => column.notNull())
    .addColumn('task', 'text', (column) => column.notNull())
    .addColumn('position', 'integer', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('status', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('tasks_pk', ['cluster', 'operation', 'task'])
    .execute();
}
