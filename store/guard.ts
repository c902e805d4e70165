import { keepEnds } from '../contracts/cut.ts';
import { type ErrorCode, KubewrightError } from '../contracts/errors.ts';

/**
 * The same object, whose async methods throw STORE_BUSY, STORE_FULL or STORE_FAILED instead of a driver's own error. The driver's words are kept as
 * evidence: they name the statement's problem and never a value.
 */
export function guarded<T extends object>(part: T): T {
  const wrapped = Object.entries(part).map(([name, member]) => {
    if (typeof member !== 'function') return [name, member] as const;
    const call = (...args: unknown[]): unknown => {
      const result: unknown = (member as (...args: unknown[]) => unknown).apply(part, args);
      return result instanceof Promise ? result.catch((error: unknown) => Promise.reject(asStoreError(error))) : result;
    };
    return [name, call] as const;
  });
  return Object.fromEntries(wrapped) as T;
}

/**
 * Which code an engine's own error has: SQLite by `errcode` (sqlite3.h, primary code in the low byte), PostgreSQL by
 * SQLSTATE (Appendix A of its manual), the file system by `errno` names. What is not listed is STORE_FAILED.
 */
const CODES: Readonly<Record<string, ErrorCode>> = {
  5: 'STORE_BUSY', // SQLITE_BUSY
  6: 'STORE_BUSY', // SQLITE_LOCKED
  13: 'STORE_FULL', // SQLITE_FULL
  '55P03': 'STORE_BUSY', // lock_not_available: lock_timeout
  '57014': 'STORE_BUSY', // query_canceled: statement_timeout
  '25P03': 'STORE_BUSY', // idle_in_transaction_session_timeout
  '40P01': 'STORE_BUSY', // deadlock_detected
  '53300': 'STORE_BUSY', // too_many_connections
  '53100': 'STORE_FULL', // disk_full
  ENOSPC: 'STORE_FULL',
  EDQUOT: 'STORE_FULL',
};
/** What node-postgres says, without a code, when its pool or its client gave up waiting. */
const PG_WAITED = /timeout exceeded when trying to connect|Query read timeout/;

const MESSAGES: Partial<Record<ErrorCode, string>> = {
  STORE_BUSY: 'the database did not answer in time: it is locked or overloaded',
  STORE_FULL: 'the database has no space left to write',
};

/** Any error as one of ours. */
export function asStoreError(error: unknown): KubewrightError {
  if (KubewrightError.is(error)) return error;
  const code = codeOf(error);
  const evidence = error instanceof Error ? keepEnds(error.message, 500) : undefined;
  return new KubewrightError(code, MESSAGES[code] ?? 'the database refused the statement', {
    cause: error,
    evidence,
  });
}

function codeOf(error: unknown): ErrorCode {
  const { errcode, code } = (error ?? {}) as { errcode?: unknown; code?: unknown };
  if (typeof errcode === 'number') return CODES[errcode & 0xff] ?? 'STORE_FAILED';
  if (typeof code === 'string' && Object.hasOwn(CODES, code)) return CODES[code]!;
  return error instanceof Error && PG_WAITED.test(error.message) ? 'STORE_BUSY' : 'STORE_FAILED';
}
