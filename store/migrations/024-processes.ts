import type { Kysely } from 'kysely';
import type { Tables } from '../schema.ts';

/** Which processes of the installation are alive: one row each, rewritten every few seconds. May run twice. */
export default async function processes(db: Kysely<Tables>): Promise<void> {
  await db.schema
    .createTable('processes')
    .ifNotExists()
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('seen_at', 'text', (column) => column.notNull())
    .execute();
}
