import type { Kysely } from 'kysely';
import type { Tables } from '../schema.ts';

/** Sessions of browsers, and the one-time codes that begin them; of both only digests of their secrets. May run twice. */
export default async function sessions(db: Kysely<Tables>): Promise<void> {
  await db.schema
    .createTable('login_codes')
    .ifNotExists()
    .addColumn('sha256', 'text', (column) => column.primaryKey())
    .addColumn('token_id', 'text', (column) => column.notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'text', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('sessions')
    .ifNotExists()
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('sha256', 'text', (column) => column.notNull().unique())
    .addColumn('token_id', 'text', (column) => column.notNull())
    .addColumn('token_sha256', 'text', (column) => column.notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addColumn('seen_at', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'text', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('sessions_token').ifNotExists().on('sessions').column('token_id').execute();
}
