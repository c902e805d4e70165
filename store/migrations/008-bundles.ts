import { type Kysely, sql } from 'kysely';
import type { Tables } from '../schema.ts';

/** Operations as they were sealed at their end, in pieces; and what each blob's stored bytes must be. May run twice. */
export default async function bundles(db: Kysely<Tables>, binary: 'blob' | 'bytea'): Promise<void> {
  await db.schema
    .createTable('bundles')
    .ifNotExists()
    .addColumn('cluster', 'text', (column) => column.notNull())
    .addColumn('operation', 'text', (column) => column.notNull())
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('size', 'bigint', (column) => column.notNull())
    .addColumn('sha256', 'text', (column) => column.notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('bundles_pk', ['cluster', 'operation'])
    .execute();
  await db.schema
    .createTable('bundle_pieces')
    .ifNotExists()
    .addColumn('bundle', 'text', (column) => column.notNull())
    .addColumn('n', 'integer', (column) => column.notNull())
    .addColumn('data', sql.raw<Uint8Array>(binary), (column) => column.notNull())
    .addColumn('sha256', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('bundle_pieces_pk', ['bundle', 'n'])
    .execute();
  const tables = await db.introspection.getTables();
  const known = tables.find(({ name }) => name === 'blobs')?.columns.some(({ name }) => name === 'data_sha256');
  if (!known) await db.schema.alterTable('blobs').addColumn('data_sha256', 'text').execute();
}
