import type { Kysely } from 'kysely';
import type { Tables } from '../schema.ts';

/** Tokens that are limited to some clusters. */
export default async function tokenClusters(db: Kysely<Tables>): Promise<void> {
  const tables = await db.introspection.getTables();
  const tokens = tables.find(({ name }) => name === 'tokens');
  // May run twice, as every migration.
  if (tokens?.columns.some(({ name }) => name === 'clusters')) return;
  await db.schema.alterTable('tokens').addColumn('clusters', 'text').execute();
}
