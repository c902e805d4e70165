import type { Kysely } from 'kysely';
import type { Tables } from '../schema.ts';

/**
 * The journal as a chain: records with who asked and what changed, a link for each half of a record, and the head of
 * every chain. What the unchained journal before it held cannot be proven afterwards and is not carried over.
 * Like every migration safe to run twice, also when the first run was killed half-way.
 */
export default async function journalChain(db: Kysely<Tables>): Promise<void> {
  const [first] = await db.introspection.getTables().then((tables) => tables.filter(({ name }) => name === 'journal'));
  if (first && !first.columns.some(({ name }) => name === 'request_id')) await db.schema.dropTable('journal').execute();

  const create = (name: keyof Tables) => db.schema.createTable(name).ifNotExists();
  await create('journal')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('request_id', 'text', (column) => column.notNull())
    .addColumn('cluster', 'text', (column) => column.notNull())
    .addColumn('operation', 'text', (column) => column.notNull())
    .addColumn('ns', 'text', (column) => column.notNull())
    .addColumn('workflow_id', 'text', (column) => column.notNull())
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('activity_id', 'text', (column) => column.notNull())
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .addColumn('phase', 'text', (column) => column.notNull())
    .addColumn('host', 'text', (column) => column.notNull())
    .addColumn('host_key_fingerprint', 'text', (column) => column.notNull())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('argv', 'text', (column) => column.notNull())
    .addColumn('stdin_sha256', 'text')
    .addColumn('stdin_bytes', 'bigint', (column) => column.notNull())
    .addColumn('changes', 'text')
    .addColumn('started_at', 'text', (column) => column.notNull())
    .addColumn('ended_at', 'text')
    .addColumn('exit_code', 'integer')
    .addColumn('signal', 'text')
    .addColumn('stdout_sha256', 'text')
    .addColumn('stderr_sha256', 'text')
    .addColumn('stdout_bytes', 'bigint')
    .addColumn('stderr_bytes', 'bigint')
    .addColumn('truncated', 'integer', (column) => column.notNull())
    .addColumn('error', 'text')
    .addColumn('result', 'text', (column) => column.notNull())
    .execute();
  // One for each filter, ordered as pages are; `journal_stdout` and `journal_stderr` say whose output a digest is.
  for (const column of ['operation', 'host', 'phase', 'actor', 'kind', 'result'] as const) {
    await db.schema
      .createIndex(`journal_${column}`)
      .ifNotExists()
      .on('journal')
      .columns(['cluster', column, 'id'])
      .execute();
  }
  await db.schema.createIndex('journal_cluster').ifNotExists().on('journal').columns(['cluster', 'id']).execute();
  for (const stream of ['stdout', 'stderr'] as const) {
    await db.schema
      .createIndex(`journal_${stream}`)
      .ifNotExists()
      .on('journal')
      .column(`${stream}_sha256`)
      .where(`${stream}_sha256`, 'is not', null)
      .execute();
  }

  await create('links')
    .addColumn('pos', 'bigint', (column) => column.primaryKey())
    .addColumn('chain', 'text', (column) => column.notNull())
    .addColumn('n', 'bigint', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull())
    .addColumn('record', 'text', (column) => column.notNull())
    .addColumn('part', 'text', (column) => column.notNull())
    .addUniqueConstraint('links_chain', ['chain', 'n'])
    .execute();

  await create('chains')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('n', 'bigint', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull())
    .execute();
}
