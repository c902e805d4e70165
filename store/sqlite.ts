import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import type { Tables } from './schema.ts';
import { sqliteDialect } from './sqlite-driver.ts';

/** How long a statement waits for the lock of another process before STORE_BUSY, ms: an API caller waits this long. */
const LOCK_WAIT_MS = 3_000;

/**
 * Kysely on Node's own SQLite: one file, WAL. `synchronous=normal` loses nothing when the process is killed, and at most
 * the last commits when the power fails. `lockWaitMs`: see sqliteDialect.
 */
export function openSqlite(file: string, { lockWaitMs = LOCK_WAIT_MS } = {}): Kysely<Tables> {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const writer = open(file);
  chmodSync(file, 0o600);
  const reader = open(file);
  reader.exec('pragma query_only = on');
  return new Kysely<Tables>({ dialect: sqliteDialect({ writer, reader, waitMs: lockWaitMs }) });
}

function open(file: string): DatabaseSync {
  const database = new DatabaseSync(file);
  // The one moment that waits inside SQLite: a start beside another process that opens the same file.
  database.exec('pragma busy_timeout = 5000');
  database.exec('pragma journal_mode = wal');
  database.exec('pragma synchronous = normal');
  database.exec('pragma foreign_keys = on');
  database.exec('pragma busy_timeout = 0');
  return database;
}
