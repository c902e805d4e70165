import { DatabaseSync } from 'node:sqlite';
import { sql } from 'kysely';
import { openPostgres } from '../postgres.ts';

export type Row = Record<string, unknown>;

/** The whole database at one moment, while others go on writing. */
export interface Snapshot {
  engine: 'sqlite' | 'postgres';
  /** Tables of ours, sorted by name. */
  tables: readonly string[];
  /** Names of the migrations that it has, the oldest first. */
  migrations: readonly string[];
  rows(table: string): AsyncIterable<Row>;
}

/** Rows of one FETCH: bundle pieces are up to 1 MiB each. */
const FETCH = 50;
/** Kysely's own tables: the target of a restore makes them itself. */
const OF_KYSELY = /^kysely_/;

/** A read transaction of SQLite in WAL mode: writers go on, and none of what they write is seen. */
export async function sqliteSnapshot<T>(file: string, use: (snapshot: Snapshot) => Promise<T>): Promise<T> {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    database.exec('begin');
    const names = (statement: string): string[] =>
      database
        .prepare(statement)
        .all()
        .map((row) => String(row['name']));
    const tables = names(`select name from sqlite_master where type = 'table' order by name`);
    return await use({
      engine: 'sqlite',
      tables: tables.filter((name) => !OF_KYSELY.test(name) && !name.startsWith('sqlite_')),
      migrations: names('select name from kysely_migration order by name'),
      async *rows(table) {
        for (const row of database.prepare(`select * from "${table}"`).iterate()) yield row;
      },
    });
  } finally {
    database.close();
  }
}

/** A read-only transaction of PostgreSQL with one view of all tables. */
export async function postgresSnapshot<T>(url: string, use: (snapshot: Snapshot) => Promise<T>): Promise<T> {
  const db = openPostgres(url, () => undefined, { unlimited: true });
  try {
    return await db
      .transaction()
      .setIsolationLevel('repeatable read')
      .setAccessMode('read only')
      .execute(async (tx) => {
        const names = async (statement: ReturnType<typeof sql<{ name: string }>>): Promise<string[]> =>
          (await statement.execute(tx)).rows.map(({ name }) => name);
        const tables = await names(
          sql<{ name: string }>`select tablename as name from pg_tables where schemaname = current_schema() order by 1`,
        );
        return await use({
          engine: 'postgres',
          tables: tables.filter((name) => !OF_KYSELY.test(name)).sort(),
          migrations: (await names(sql<{ name: string }>`select name from kysely_migration`)).sort(),
          async *rows(table) {
            await sql`declare backup_rows no scroll cursor for select * from ${sql.table(table)}`.execute(tx);
            for (;;) {
              const { rows } = await sql<Row>`fetch ${sql.raw(String(FETCH))} from backup_rows`.execute(tx);
              if (rows.length === 0) break;
              yield* rows;
            }
            await sql`close backup_rows`.execute(tx);
          },
        });
      });
  } finally {
    await db.destroy();
  }
}
