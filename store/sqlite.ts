import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { Kysely, SqliteDialect } from 'kysely';
import type { Tables } from './schema.ts';

/** Prepared statements kept. We have a few dozen; lists of varying length make more. */
const STATEMENTS = 200;

/**
 * Kysely on Node's own SQLite: one file, WAL. `synchronous=normal` loses nothing when the process is killed, and at most
 * the last commits when the power fails.
 */
export function openSqlite(file: string): Kysely<Tables> {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(file);
  chmodSync(file, 0o600);
  database.exec('pragma journal_mode = wal');
  database.exec('pragma synchronous = normal');
  database.exec('pragma busy_timeout = 5000');
  database.exec('pragma foreign_keys = on');
  return new Kysely<Tables>({ dialect: new SqliteDialect({ database: adapt(database) }) });
}

/** The part of better-sqlite3's interface that Kysely's dialect calls. */
function adapt(database: DatabaseSync) {
  const statements = new Map<string, ReturnType<typeof wrap>>();
  return {
    close: () => database.close(),
    prepare(sql: string) {
      const known = statements.get(sql);
      if (known) return known;
      const fresh = wrap(database.prepare(sql));
      if (statements.size >= STATEMENTS) statements.clear();
      statements.set(sql, fresh);
      return fresh;
    },
  };
}

function wrap(statement: StatementSync) {
  const values = (parameters: readonly unknown[]) => parameters as SQLInputValue[];
  return {
    reader: statement.columns().length > 0,
    // Rows have a null prototype, which strict comparisons notice.
    all: (parameters: readonly unknown[]) => statement.all(...values(parameters)).map((row) => ({ ...row })),
    run: (parameters: readonly unknown[]) => statement.run(...values(parameters)),
    iterate: (parameters: readonly unknown[]) => statement.iterate(...values(parameters)),
  };
}
