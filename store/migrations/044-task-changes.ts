import { type Kysely, sql } from 'kysely';
import type { Tables } from '../schema.ts';

/**
 * What each task changed, or in a dry run would change: a dry run runs no command that changes something, so its journal does
 * not say. `round` counts the starts of a task. May run twice.
 */
export default async function taskChanges(db: Kysely<Tables>, binary: 'blob' | 'bytea'): Promise<void> {
  await db.schema
    .createTable('task_changes')
    .ifNotExists()
    .addColumn('cluster', 'text', (column) => column.notNull())
    .addColumn('operation', 'text', (column) => column.notNull())
    .addColumn('task', 'text', (column) => column.notNull())
    .addColumn('round', 'integer', (column) => column.notNull())
    .addColumn('change_count', 'integer', (column) => column.notNull())
    .addColumn('data', sql.raw<Uint8Array>(binary), (column) => column.notNull())
    .addPrimaryKeyConstraint('task_changes_pk', ['cluster', 'operation', 'task', 'round'])
    .execute();
}
