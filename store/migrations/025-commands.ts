import type { Kysely } from 'kysely';
import { FINAL_STATES } from '../changes.ts';
import type { Tables } from '../schema.ts';

/** Commands that were taken; and the operations that were open when this version came, whose payloads name no place. */
export default async function commands(db: Kysely<Tables>): Promise<void> {
  await db.schema
    .createTable('taken_commands')
    .ifNotExists()
    .addColumn('cluster', 'text', (column) => column.notNull())
    .addColumn('command', 'text', (column) => column.notNull())
    .addColumn('request_id', 'text', (column) => column.notNull())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('operation', 'text', (column) => column.notNull())
    .addColumn('taken_at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('taken_commands_pk', ['cluster', 'command', 'request_id'])
    .execute();
  await db.schema.createIndex('taken_commands_at').ifNotExists().on('taken_commands').column('taken_at').execute();
  await db.schema
    .createTable('unsigned_operations')
    .ifNotExists()
    .addColumn('cluster', 'text', (column) => column.notNull())
    .addColumn('id', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('unsigned_operations_pk', ['cluster', 'id'])
    .execute();
  await db
    .insertInto('unsigned_operations')
    .columns(['cluster', 'id'])
    .expression(
      db
        .selectFrom('operations')
        .select(['cluster', 'id'])
        .where('state', 'not in', [...FINAL_STATES]),
    )
    .onConflict((conflict) => conflict.columns(['cluster', 'id']).doNothing())
    .execute();
}
