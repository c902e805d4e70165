import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { Tables } from './schema.ts';

/** Type id of bigint in PostgreSQL (pg_type.dat). */
const INT8 = 20;

/**
 * Limits for each session, ms. An append to the journal waits for a lock for at most LOCK_MS, also when another session
 * is idle in a transaction; a process of ours that is stopped in the middle of a transaction loses it after IDLE_MS.
 */
const LOCK_MS = 2_500;
const STATEMENT_MS = 20_000;
const IDLE_MS = 10_000;
/** For a server that accepts and never answers: longer than STATEMENT_MS, so that the server's own limit comes first. */
const ANSWER_MS = STATEMENT_MS + 5_000;

/**
 * Kysely on PostgreSQL. Idle connections that break are reported to `onError` and replaced. `unlimited`: no
 * limit for statements and locks, for migrations, backups and checks of a whole database. `readOnly`: the server refuses to
 * write in this session.
 */
export function openPostgres(
  url: string,
  onError: (error: Error) => void,
  { unlimited = false, readOnly = false }: { unlimited?: boolean; readOnly?: boolean } = {},
): Kysely<Tables> {
  const pool = new pg.Pool({
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    idle_in_transaction_session_timeout: unlimited ? 0 : IDLE_MS,
    ...(unlimited ? {} : { lock_timeout: LOCK_MS, statement_timeout: STATEMENT_MS, query_timeout: ANSWER_MS }),
    ...(readOnly ? { options: '-c default_transaction_read_only=on' } : {}),
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
