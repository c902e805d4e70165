import { type Kysely, sql } from 'kysely';
import type { Tables } from '../schema.ts';

/** The plan of each operation, so that it can be read when Temporal has removed the workflow. May run twice. */
export default async function plans(db: Kysely<Tables>, binary: 'blob' | 'bytea'): Promise<void> {
  await db.schema
    .createTable('plans')
    .ifNotExists()
    .addColumn('cluster', 'text', (column) => column.notNull())
    .addColumn('operation', 'text', (column) => column.notNull())
    .addColumn('data', sql.raw<Uint8Array>(binary), (column) => column.notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('plans_pk', ['cluster', 'operation'])
    .execute();
}
