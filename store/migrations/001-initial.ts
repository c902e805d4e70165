import { type Kysely, sql } from 'kysely';
import type { Tables } from '../schema.ts';

/** The first schema. Every statement may run twice: SQLite has no transactional migration here, and a start may be killed. */
export default async function initial(db: Kysely<Tables>, binary: 'blob' | 'bytea'): Promise<void> {
  const create = (name: string) => db.schema.createTable(name).ifNotExists();
  const bytes = sql.raw<Uint8Array>(binary);

  await create('specs')
    .addColumn('digest', 'text', (column) => column.primaryKey())
    .addColumn('cluster', 'text', (column) => column.notNull())
    .addColumn('document', 'text', (column) => column.notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .execute();

  await create('secrets')
    .addColumn('scope', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('key_id', 'text', (column) => column.notNull())
    .addColumn('nonce', bytes, (column) => column.notNull())
    .addColumn('sealed', bytes, (column) => column.notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addColumn('updated_at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('secrets_pk', ['scope', 'name'])
    .execute();

  await create('host_keys')
    .addColumn('cluster', 'text', (column) => column.notNull())
    .addColumn('host', 'text', (column) => column.notNull())
    .addColumn('host_key', 'text', (column) => column.notNull())
    .addColumn('recorded_at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('host_keys_pk', ['cluster', 'host'])
    .execute();

  await create('tokens')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('role', 'text', (column) => column.notNull())
    .addColumn('sha256', 'text', (column) => column.notNull().unique())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'text')
    .addColumn('revoked_at', 'text')
    .execute();

  await create('journal')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('ns', 'text', (column) => column.notNull())
    .addColumn('cluster', 'text', (column) => column.notNull())
    .addColumn('operation', 'text', (column) => column.notNull())
    .addColumn('workflow_id', 'text', (column) => column.notNull())
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('activity_id', 'text', (column) => column.notNull())
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .addColumn('phase', 'text', (column) => column.notNull())
    .addColumn('host', 'text', (column) => column.notNull())
    .addColumn('host_key_fingerprint', 'text', (column) => column.notNull())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('argv', 'text', (column) => column.notNull())
    .addColumn('stdin_sha256', 'text')
    .addColumn('stdin_bytes', 'bigint', (column) => column.notNull())
    .addColumn('started_at', 'text', (column) => column.notNull())
    .addColumn('ended_at', 'text')
    .addColumn('exit_code', 'integer')
    .addColumn('signal', 'text')
    .addColumn('stdout_sha256', 'text')
    .addColumn('stderr_sha256', 'text')
    .addColumn('stdout_bytes', 'bigint')
    .addColumn('stderr_bytes', 'bigint')
    .addColumn('truncated', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('error', 'text')
    .execute();
  // One index: every reading is of one cluster, in order; the finer filters walk it. Writing stays cheap.
  await db.schema.createIndex('journal_cluster').ifNotExists().on('journal').columns(['cluster', 'id']).execute();

  await create('blobs')
    .addColumn('sha256', 'text', (column) => column.primaryKey())
    .addColumn('size', 'bigint', (column) => column.notNull())
    .addColumn('encoding', 'text', (column) => column.notNull())
    .addColumn('data', bytes, (column) => column.notNull())
    .execute();

  await create('clusters')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('spec_ref', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('kubernetes_version', 'text', (column) => column.notNull())
    .addColumn('hosts', 'integer', (column) => column.notNull())
    .addColumn('latest_operation', 'text')
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addColumn('updated_at', 'text', (column) => column.notNull())
    .execute();

  await create('operations')
    .addColumn('cluster', 'text', (column) => column.notNull())
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('mode', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('spec_ref', 'text', (column) => column.notNull())
    .addColumn('queued_at', 'text', (column) => column.notNull())
    .addColumn('started_at', 'text')
    .addColumn('ended_at', 'text')
    .addColumn('status', 'text', (column) => column.notNull())
    .addColumn('updated_at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('operations_pk', ['cluster', 'id'])
    .execute();

  await create('events')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('cluster', 'text', (column) => column.notNull())
    .addColumn('operation', 'text', (column) => column.notNull())
    .addColumn('type', 'text', (column) => column.notNull())
    .addColumn('data', 'text', (column) => column.notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('events_cluster').ifNotExists().on('events').columns(['cluster', 'id']).execute();

  await create('requests')
    .addColumn('scope', 'text', (column) => column.notNull())
    .addColumn('request_id', 'text', (column) => column.notNull())
    .addColumn('body_sha256', 'text', (column) => column.notNull())
    .addColumn('answer', 'text')
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('requests_pk', ['scope', 'request_id'])
    .execute();
}
