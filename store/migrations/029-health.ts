import type { Kysely } from 'kysely';
import type { Tables } from '../schema.ts';

/** What was last seen of a cluster's health. May run twice. */
export default async function health(db: Kysely<Tables>): Promise<void> {
  const tables = await db.introspection.getTables();
  const columns = tables.find(({ name }) => name === 'clusters')?.columns.map(({ name }) => name) ?? [];
  for (const column of ['health', 'health_state']) {
    if (!columns.includes(column)) await db.schema.alterTable('clusters').addColumn(column, 'text').execute();
  }
}
