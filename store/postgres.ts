import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { Tables } from './schema.ts';

/** Type id of bigint in PostgreSQL (pg_type.dat). */
const INT8 = 20;

/** Kysely on PostgreSQL. Idle connections that break are told to `onError` and replaced. */
export function openPostgres(url: string, onError: (error: Error) => void): Kysely<Tables> {
  const pool = new pg.Pool({
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: 5_000,
    application_name: 'kubewright',
    types: {
      // Byte counts stay far below 2^53: numbers on both engines, not strings here.
      getTypeParser: ((id: number, format?: 'text' | 'binary') =>
        id === INT8 ? Number : pg.types.getTypeParser(id, format as 'text')) as typeof pg.types.getTypeParser,
    },
  });
  pool.on('error', onError);
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
}
