import type { Kysely } from 'kysely';
import type { Tables } from '../schema.ts';

/**
 * Ids of tokens in the journal, signed heads of chains, and marks behind which a pruned chain begins. May run twice.
 */
export default async function signedHeads(db: Kysely<Tables>): Promise<void> {
  const tables = await db.introspection.getTables();
  const known = tables.find(({ name }) => name === 'journal')?.columns.some(({ name }) => name === 'actor_id');
  if (!known) await db.schema.alterTable('journal').addColumn('actor_id', 'text').execute();
  await db.schema
    .createTable('anchors')
    .ifNotExists()
    .addColumn('n', 'bigint', (column) => column.primaryKey())
    .addColumn('pos', 'bigint', (column) => column.notNull())
    .addColumn('entry', 'text', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('chain_marks')
    .ifNotExists()
    .addColumn('chain', 'text', (column) => column.primaryKey())
    .addColumn('n', 'bigint', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull())
    .addColumn('entry', 'text', (column) => column.notNull())
    .execute();
}
