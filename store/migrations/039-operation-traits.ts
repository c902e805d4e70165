import type { Kysely } from 'kysely';
import { EARLIER_KINDS } from '../../contracts/earlier-kinds.ts';
import type { Tables } from '../schema.ts';

/**
 * What operations do to their cluster, as data. A row that an earlier version writes while this one is rolled out has the
 * effect of most operations. May run twice.
 */
export default async function operationTraits(db: Kysely<Tables>): Promise<void> {
  const tables = await db.introspection.getTables();
  const columns = tables.find(({ name }) => name === 'operations')?.columns.map(({ name }) => name) ?? [];
  const alter = db.schema.alterTable('operations');
  if (!columns.includes('traits')) await alter.addColumn('traits', 'text').execute();
  if (!columns.includes('effect')) {
    await alter.addColumn('effect', 'text', (column) => column.notNull().defaultTo('builds')).execute();
  }
  for (const [kind, { effect }] of EARLIER_KINDS) {
    await db.updateTable('operations').set({ effect }).where('kind', '=', kind).where('traits', 'is', null).execute();
  }
}
