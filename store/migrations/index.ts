import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { KubewrightError } from '../../contracts/errors.ts';
import type { Tables } from '../schema.ts';
import { initial } from './001-initial.ts';
import { tasks } from './003-tasks.ts';
import { quarantine } from './004-quarantine.ts';
import { notes } from './005-notes.ts';
import { tokenClusters } from './006-token-clusters.ts';
import { journalChain } from './007-journal-chain.ts';
import { bundles } from './008-bundles.ts';
import { signedHeads } from './009-signed-heads.ts';
import { addresses } from './021-addresses.ts';
import { credentialScopes } from './022-credential-scopes.ts';
import { processes } from './024-processes.ts';
import { commands } from './025-commands.ts';
import { retention } from './026-retention.ts';
import { health } from './029-health.ts';
import { operationTraits } from './039-operation-traits.ts';
import { plans } from './043-plans.ts';
import { taskChanges } from './044-task-changes.ts';

/** Bring the database to the newest schema. Processes that do it at once wait for each other. */
export async function migrate(db: Kysely<Tables>, binary: 'blob' | 'bytea'): Promise<void> {
  const { error } = await migratorOf(db, binary).migrateToLatest();
  if (error) throw error instanceof Error ? error : new Error('the schema could not be brought up to date');
}

/** Bring an empty database to the schema of this migration. Throws BACKUP_INVALID when we have no such migration. */
export async function migrateTo(db: Kysely<Tables>, binary: 'blob' | 'bytea', schema: string): Promise<void> {
  const migrator = migratorOf(db, binary);
  if (!(await migrator.getMigrations()).some(({ name }) => name === schema)) {
    throw new KubewrightError('BACKUP_INVALID', `the schema ${schema} is unknown: a newer version made it`);
  }
  const { error } = await migrator.migrateTo(schema);
  if (error) throw error instanceof Error ? error : new Error(`the schema ${schema} could not be made`);
}

const migratorOf = (db: Kysely<Tables>, binary: 'blob' | 'bytea'): Migrator =>
  new Migrator({ db, provider: { getMigrations: () => Promise.resolve(migrations(binary)) } });

/** Migrations that this database lacks, and those in it that we do not know: a newer version made it. Only reads. */
export async function schemaDifference(db: Kysely<Tables>): Promise<{ missing: string[]; unknown: string[] }> {
  const known = Object.keys(migrations('blob'));
  const rows = await sql<{ name: string }>`select name from kysely_migration`.execute(db).catch(() => ({ rows: [] }));
  const applied = rows.rows.map(({ name }) => name);
  return {
    missing: known.filter((name) => !applied.includes(name)),
    unknown: applied.filter((name) => !known.includes(name)),
  };
}

const migrations = (binary: 'blob' | 'bytea'): Record<string, Migration> => ({
  '001-initial': { up: (given: Kysely<Tables>) => initial(given, binary) },
  '003-tasks': { up: tasks },
  '004-quarantine': { up: quarantine },
  '005-notes': { up: notes },
  '006-token-clusters': { up: tokenClusters },
  '007-journal-chain': { up: journalChain },
  '008-bundles': { up: (given: Kysely<Tables>) => bundles(given, binary) },
  '009-signed-heads': { up: signedHeads },
  '021-addresses': { up: addresses },
  '022-credential-scopes': { up: credentialScopes },
  '024-processes': { up: processes },
  '025-commands': { up: commands },
  '026-retention': { up: retention },
  '029-health': { up: health },
  '039-operation-traits': { up: operationTraits },
  '043-plans': { up: (given: Kysely<Tables>) => plans(given, binary) },
  '044-task-changes': { up: (given: Kysely<Tables>) => taskChanges(given, binary) },
});
