import type { Kysely } from 'kysely';
import type { Tables } from '../schema.ts';

/** When each output was last stored, and who names it: what retention asks before it removes one. May run twice. */
export default async function retention(db: Kysely<Tables>): Promise<void> {
  const tables = await db.introspection.getTables();
  const known = tables.find(({ name }) => name === 'blobs')?.columns.some(({ name }) => name === 'used_at');
  if (!known) await db.schema.alterTable('blobs').addColumn('used_at', 'text').execute();
  for (const column of ['stdout_sha256', 'stderr_sha256']) {
    await db.schema.createIndex(`journal_${column}`).ifNotExists().on('journal').column(column).execute();
  }
}
