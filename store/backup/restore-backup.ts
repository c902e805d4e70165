import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Kysely, Transaction } from 'kysely';
import { KubewrightError } from '../../contracts/errors.ts';
import { asStoreError } from '../guard.ts';
import type { Keyring } from '../keyring.ts';
import { migrate, migrateTo } from '../migrations/index.ts';
import { openPostgres } from '../postgres.ts';
import type { Tables } from '../schema.ts';
import { openSqlite } from '../sqlite.ts';
import { backupRows, checkBackup } from './read-backup.ts';
import type { DatabasePlace } from './write-backup.ts';

/** Bound values of one statement: SQLite takes 32,766 (SQLITE_MAX_VARIABLE_NUMBER), PostgreSQL 65,535. */
const VALUES = 30_000;
/** Rows of one statement: a bundle piece is up to 1 MiB. */
const ROWS = 200;

/**
 * Fill an empty database from a backup, in one transaction; then bring its schema up to date. The whole file is checked
 * before anything is written. `keyring`: must open the backup's secrets, unless it has none. Returns the rows per table.
 * Throws BACKUP_INVALID, CONFLICT (the target is not empty), SECRET_KEY_LOST, STORE_FAILED and its kind.
 */
export async function restoreBackup(
  place: DatabasePlace,
  path: string,
  keyring: Keyring | null,
): Promise<Record<string, number>> {
  const { head, rows } = await checkBackup(path);
  if (keyring) await requireKeyOf(path, keyring);
  let db: Kysely<Tables> | undefined;
  try {
    db = openTarget(place);
    const binary = 'url' in place ? 'bytea' : 'blob';
    await requireEmpty(db);
    await migrateTo(db, binary, head.schema);
    await db.transaction().execute(async (tx) => {
      // What the migrations themselves put in is in the backup too.
      for (const name of Object.keys(rows)) await tx.deleteFrom(name as keyof Tables).execute();
      await fill(tx, path);
    });
    await migrate(db, binary);
    return rows;
  } catch (error) {
    throw asStoreError(error);
  } finally {
    await db?.destroy();
  }
}

function openTarget(place: DatabasePlace): Kysely<Tables> {
  if ('url' in place) return openPostgres(place.url, () => undefined, { unlimited: true });
  mkdirSync(dirname(place.file), { recursive: true, mode: 0o700 });
  return openSqlite(place.file);
}

async function requireEmpty(db: Kysely<Tables>): Promise<void> {
  for (const { name } of await db.introspection.getTables()) {
    const row = await db
      .selectFrom(name as keyof Tables)
      .selectAll()
      .limit(1)
      .executeTakeFirst();
    if (row) throw new KubewrightError('CONFLICT', `the target is not empty (table ${name}): restore into a new one`);
  }
}

/** Refuse before anything is written: with the wrong key the restored installation would not start. */
async function requireKeyOf(path: string, keyring: Keyring): Promise<void> {
  const sealing = new Set<string>();
  for await (const { table, row } of backupRows(path)) {
    if (table === 'secrets' && typeof row['key_id'] === 'string') sealing.add(row['key_id']);
  }
  if (sealing.size === 0 || [...sealing].some((id) => keyring.key(id))) return;
  throw new KubewrightError('SECRET_KEY_LOST', 'the available key cannot decrypt the secrets of this backup', {
    evidence: `ids of the keys that seal them: ${[...sealing].join(', ')}; of the available keys: ${keyring.ids.join(', ')}`,
  });
}

async function fill(tx: Transaction<Tables>, path: string): Promise<void> {
  let table = '';
  let batch: object[] = [];
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    await tx
      .insertInto(table as keyof Tables)
      .values(batch as never)
      .execute();
    batch = [];
  };
  for await (const { table: next, row } of backupRows(path)) {
    const columns = Object.keys(row).length;
    if (next !== table || batch.length >= ROWS || (batch.length + 1) * columns > VALUES) await flush();
    table = next;
    batch.push(row);
  }
  await flush();
}
