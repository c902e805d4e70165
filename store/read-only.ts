import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { Kysely } from 'kysely';
import { KubewrightError } from '../contracts/errors.ts';
import { schemaDifference } from './migrations/index.ts';
import { openPostgres } from './postgres.ts';
import type { Tables } from './schema.ts';
import { sqliteDialect } from './sqlite-driver.ts';

/** Attempts to copy a database while another process writes to it. */
const COPIES = 3;
const LOCK_WAIT_MS = 3_000;

/**
 * A database for looking at: nothing is written to it or beside it, and its schema is not changed. Throws STORE_FAILED
 * when it is of another version of ours, or is written to all the time. `release` removes what was copied.
 */
export async function openReadOnly(place: {
  url?: string | undefined;
  /** The file of SQLite, when there is no address. */
  file: string;
}): Promise<{ db: Kysely<Tables>; release: () => Promise<void> }> {
  const { db, remove } =
    place.url === undefined
      ? openFile(place.file)
      : {
          db: openPostgres(place.url, () => undefined, { unlimited: true, readOnly: true }),
          remove: () => undefined,
        };
  const release = async () => {
    await db.destroy();
    remove();
  };
  try {
    await requireOurSchema(db);
    return { db, release };
  } catch (error) {
    await release().catch(() => undefined);
    throw error;
  }
}

async function requireOurSchema(db: Kysely<Tables>): Promise<void> {
  const { missing, unknown } = await schemaDifference(db);
  if (unknown.length > 0) {
    const message = `the database was made by a newer version of Kubewright (${unknown.join(', ')}): check it with that one`;
    throw new KubewrightError('STORE_FAILED', message);
  }
  if (missing.length === 0) return;
  const message =
    `the database has the schema of an earlier version (it lacks ${missing.join(', ')}), and this check changes nothing: ` +
    'start the service once, or check it with that version';
  throw new KubewrightError('STORE_FAILED', message);
}

/**
 * SQLite makes files beside a database in WAL mode, also to read it. With a WAL, or while another process has it open, a copy is
 * read; otherwise the file itself, as one that does not change (`immutable`).
 */
function openFile(file: string): { db: Kysely<Tables>; remove: () => void } {
  const inUse = ['-wal', '-shm'].some((end) => existsSync(`${file}${end}`));
  if (!inUse) {
    const address = pathToFileURL(file);
    address.searchParams.set('mode', 'ro');
    address.searchParams.set('immutable', '1');
    const open = () => new DatabaseSync(address, { readOnly: true });
    return { db: kyselyOn(open), remove: () => undefined };
  }
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-check-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const copy = join(folder, 'kubewright.db');
    copyQuietly(file, copy);
    return { db: kyselyOn(() => new DatabaseSync(copy)), remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function kyselyOn(open: () => DatabaseSync): Kysely<Tables> {
  const writer = open();
  const reader = open();
  for (const each of [writer, reader]) each.exec('pragma query_only = on');
  return new Kysely<Tables>({ dialect: sqliteDialect({ writer, reader, waitMs: LOCK_WAIT_MS }) });
}

/** The database and its WAL, as they were at one moment: copied again when one of them changed meanwhile. */
function copyQuietly(file: string, copy: string): void {
  const state = () =>
    ['', '-wal'].map((end) => {
      const stat = statSync(`${file}${end}`, { bigint: true, throwIfNoEntry: false });
      return stat ? `${stat.size} ${stat.mtimeNs} ${stat.ino}` : '';
    });
  for (let tries = 0; tries < COPIES; tries += 1) {
    const before = state();
    rmSync(`${copy}-wal`, { force: true });
    copyFileSync(file, copy);
    if (before[1] !== '') copyFileSync(`${file}-wal`, `${copy}-wal`);
    if (before.every((each, index) => each === state()[index])) return;
  }
  throw new KubewrightError(
    'STORE_FAILED',
    `${file} is being written continuously: stop the service, or check a backup`,
  );
}
