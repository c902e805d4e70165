import { readdir } from 'node:fs/promises';
import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { KubewrightError } from '../../contracts/errors.ts';
import type { Tables } from '../schema.ts';

/** Bring the database to the newest schema. Processes that do it at once wait for each other. */
export async function migrate(db: Kysely<Tables>, binary: Binary): Promise<void> {
  const { error } = await migratorOf(db, binary).migrateToLatest();
  if (error) throw error instanceof Error ? error : new Error('the schema could not be brought up to date');
}

/** Bring an empty database to the schema of this migration. Throws BACKUP_INVALID when we have no such migration. */
export async function migrateTo(db: Kysely<Tables>, binary: Binary, schema: string): Promise<void> {
  const migrator = migratorOf(db, binary);
  if (!(await migrator.getMigrations()).some(({ name }) => name === schema)) {
    throw new KubewrightError('BACKUP_INVALID', `the schema ${schema} is unknown: a newer version made it`);
  }
  const { error } = await migrator.migrateTo(schema);
  if (error) throw error instanceof Error ? error : new Error(`the schema ${schema} could not be made`);
}

const migratorOf = (db: Kysely<Tables>, binary: Binary): Migrator =>
  new Migrator({ db, provider: { getMigrations: () => migrations(binary) } });

/** Migrations that this database lacks, and those in it that we do not know: a newer version made it. Only reads. */
export async function schemaDifference(db: Kysely<Tables>): Promise<{ missing: string[]; unknown: string[] }> {
  const known = Object.keys(await migrations('blob'));
  const rows = await sql<{ name: string }>`select name from kysely_migration`.execute(db).catch(() => ({ rows: [] }));
  const applied = rows.rows.map(({ name }) => name);
  return {
    missing: known.filter((name) => !applied.includes(name)),
    unknown: applied.filter((name) => !known.includes(name)),
  };
}

type Binary = 'blob' | 'bytea';

/**
 * The migrations of a folder (default: this one), by the names that databases know them by: those of their files, such as
 * `001-initial`. The number puts them in their order. Throws INTERNAL for two of one number, and for a file without a migration.
 */
export async function migrations(
  binary: Binary,
  folder: URL = new URL('./', import.meta.url),
): Promise<Record<string, Migration>> {
  const files = (await readdir(folder)).filter((name) => /^\d{3}-.*(?<!\.d)\.ts$/.test(name)).sort();
  const twice = files.find((name, index) => index > 0 && name.slice(0, 3) === files[index - 1]!.slice(0, 3));
  if (twice !== undefined) throw new KubewrightError('INTERNAL', `two migrations have the number of ${twice}`);
  const entries = files.map(async (name): Promise<[string, Migration]> => {
    const { default: up } = (await import(new URL(name, folder).href)) as { default?: unknown };
    if (typeof up !== 'function')
      throw new KubewrightError('INTERNAL', `${name} has no migration as its default export`);
    return [name.slice(0, -'.ts'.length), { up: async (db) => await (up as Up)(db, binary) }];
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** A migration: the database, and what the type of a column with bytes is called. May run twice. */
type Up = (db: Kysely<unknown>, binary: Binary) => Promise<void>;
