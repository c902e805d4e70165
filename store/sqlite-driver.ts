import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type Kysely,
  type QueryResult,
  SelectQueryNode,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { KubewrightError } from '../contracts/errors.ts';

/** Prepared statements kept for each connection. We have a few dozen; lists of varying length make more. */
const STATEMENTS = 200;
/** First and longest pause between two tries at a locked database, ms. */
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 50;
/** Primary result codes of SQLite (sqlite3.h): the database, or a table of it, is locked. Extended codes keep them in the low byte. */
const LOCKED_CODES = new Set([5, 6]);

/**
 * A dialect for `node:sqlite` that never waits inside SQLite. `node:sqlite` is synchronous: with a busy timeout, a lock
 * that another process holds stops the event loop. Here a locked statement is tried again after a pause, up to `waitMs`
 * after its connection was asked for; then it throws STORE_BUSY. Reads outside transactions use a connection of their
 * own: in WAL mode they succeed while another process, or a waiting writer of this one, holds the write lock.
 */
export function sqliteDialect(databases: { writer: DatabaseSync; reader: DatabaseSync; waitMs: number }): Dialect {
  return {
    createAdapter: () => new SharedFileAdapter(),
    createDriver: () => new WaitingDriver(databases),
    createIntrospector: (db: Kysely<unknown>) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/**
 * The driver serialises writes itself. A migration runs in one `begin immediate` transaction, so that processes which
 * open the same file at once migrate one after the other.
 */
class SharedFileAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class WaitingDriver implements Driver {
  readonly #writer: Prepared;
  readonly #reader: Prepared;
  readonly #waitMs: number;
  readonly #lock = new Mutex();

  constructor({ writer, reader, waitMs }: { writer: DatabaseSync; reader: DatabaseSync; waitMs: number }) {
    this.#writer = new Prepared(writer);
    this.#reader = new Prepared(reader);
    this.#waitMs = waitMs;
  }

  init(): Promise<void> {
    return Promise.resolve();
  }
  acquireConnection(): Promise<DatabaseConnection> {
    return Promise.resolve(new Connection(this.#writer, this.#reader, this.#lock, this.#waitMs));
  }
  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await (connection as Connection).begin();
  }
  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await (connection as Connection).finish('commit');
  }
  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await (connection as Connection).finish('rollback');
  }
  releaseConnection(): Promise<void> {
    return Promise.resolve();
  }
  destroy(): Promise<void> {
    this.#reader.close();
    this.#writer.close();
    return Promise.resolve();
  }
}

/** One use of the database: a statement, or a transaction. */
class Connection implements DatabaseConnection {
  readonly #writer: Prepared;
  readonly #reader: Prepared;
  readonly #lock: Mutex;
  readonly #waitMs: number;
  /** Set while this connection is in a transaction: gives the write lock back. */
  #release: (() => void) | null = null;

  constructor(writer: Prepared, reader: Prepared, lock: Mutex, waitMs: number) {
    this.#writer = writer;
    this.#reader = reader;
    this.#lock = lock;
    this.#waitMs = waitMs;
  }

  async begin(): Promise<void> {
    const deadline = Date.now() + this.#waitMs;
    const release = await this.#lock.take();
    try {
      // Not deferred: a transaction that reads first and then fails to become a writer could not be continued.
      await patiently(deadline, this.#waitMs, () => this.#writer.run('begin immediate', []));
    } catch (error) {
      release();
      throw error;
    }
    this.#release = release;
  }

  async finish(verb: 'commit' | 'rollback'): Promise<void> {
    const release = this.#release;
    // SQLite itself rolls back on some errors, such as a full disk.
    if (verb === 'rollback' && !this.#writer.inTransaction) {
      this.#release = null;
      release?.();
      return;
    }
    const deadline = Date.now() + this.#waitMs;
    await patiently(deadline, this.#waitMs, () => this.#writer.run(verb, []));
    // After a failed commit Kysely rolls back: the lock is kept until then.
    this.#release = null;
    release?.();
  }

  async executeQuery<R>({ sql, parameters, query }: CompiledQuery): Promise<QueryResult<R>> {
    const deadline = Date.now() + this.#waitMs;
    if (this.#release) return await patiently(deadline, this.#waitMs, () => this.#writer.run<R>(sql, parameters));
    const reads = SelectQueryNode.is(query) || /^\s*select\s/i.test(sql);
    if (reads) return await patiently(deadline, this.#waitMs, () => this.#reader.run<R>(sql, parameters));
    const release = await this.#lock.take();
    try {
      return await patiently(deadline, this.#waitMs, () => this.#writer.run<R>(sql, parameters));
    } finally {
      release();
    }
  }

  async *streamQuery<R>({ sql, parameters }: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    const from = this.#release ? this.#writer : this.#reader;
    for (const row of from.iterate(sql, parameters)) yield { rows: [row as R] };
  }
}

/** Run it now, and again after pauses while the database is locked. Throws STORE_BUSY behind the deadline. */
async function patiently<T>(deadline: number, waitMs: number, work: () => T): Promise<T> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      return work();
    } catch (error) {
      if (!isLocked(error)) throw error;
      if (Date.now() + pause > deadline) {
        throw new KubewrightError(
          'STORE_BUSY',
          `another process has held the lock of the database for ${(waitMs / 1000).toFixed(1)} s`,
          { cause: error, evidence: error instanceof Error ? error.message : undefined },
        );
      }
    }
    await sleep(pause);
  }
}

function isLocked(error: unknown): boolean {
  const { errcode } = error as { errcode?: unknown };
  return typeof errcode === 'number' && LOCKED_CODES.has(errcode & 0xff);
}

/** A database with its prepared statements. */
class Prepared {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get inTransaction(): boolean {
    return this.#database.isTransaction;
  }

  run<R>(sql: string, parameters: readonly unknown[]): QueryResult<R> {
    const statement = this.#statement(sql);
    const values = parameters as SQLInputValue[];
    // Rows have a null prototype, which strict comparisons notice.
    if (statement.columns().length > 0) return { rows: statement.all(...values).map((row) => ({ ...row }) as R) };
    const { changes, lastInsertRowid } = statement.run(...values);
    return { insertId: BigInt(lastInsertRowid), numAffectedRows: BigInt(changes), rows: [] };
  }

  /** With a statement of its own: another use of a shared one would end the iteration. */
  *iterate(sql: string, parameters: readonly unknown[]): Generator<unknown> {
    for (const row of this.#database.prepare(sql).iterate(...(parameters as SQLInputValue[]))) yield { ...row };
  }

  close(): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const fresh = this.#database.prepare(sql);
    if (this.#statements.size >= STATEMENTS) this.#statements.clear();
    this.#statements.set(sql, fresh);
    return fresh;
  }
}

/** First come, first served. */
class Mutex {
  #last: Promise<void> = Promise.resolve();

  /** Resolves with the function that gives it back. */
  async take(): Promise<() => void> {
    const before = this.#last;
    let release!: () => void;
    this.#last = new Promise((resolve) => {
      release = resolve;
    });
    await before;
    return release;
  }
}
