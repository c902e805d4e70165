import type { Kysely, Transaction } from 'kysely';
import { KubewrightError } from '../contracts/errors.ts';
import {
  type BegunColumns,
  beginLine,
  type EndedColumns,
  endLine,
  type LinkPlace,
  lineHash,
  NO_HASH,
  NOT_ENDED,
} from './journal-record.ts';
import type { JournalRow, LinkRow, Tables } from './schema.ts';

/** The last link of a chain at some moment. */
export interface ChainHead {
  n: number;
  hash: string;
}

/** Halves of records to be chained, in this order. */
export interface Append {
  chain: string;
  begin?: BegunColumns | undefined;
  end?: (EndedColumns & Pick<JournalRow, 'id' | 'kind' | 'operation'>) | undefined;
}

interface Waiting extends Append {
  resolve(head: ChainHead): void;
  reject(error: unknown): void;
}

/** The row of `chains` that counts the links of all of them: who holds it is the only one that appends. */
const ALL = '*';
/** SQLITE_CONSTRAINT of sqlite3.h. */
const SQLITE_CONSTRAINT = 19;
/** Rows of one statement: far below PostgreSQL's 65,535 bound values. */
const ROWS = 500;
/** Links of one transaction. */
const BATCH = 1_000;

/**
 * Appends to the chains. What many tasks of this process write at once is one transaction; other processes wait for the
 * row `*`, so that positions grow in the order of commits, and a reader that goes on from a position misses nothing.
 */
export class JournalWriter {
  readonly #db: Kysely<Tables>;
  #queue: Waiting[] = [];
  #busy = false;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  /** Resolves with the chain's head behind these links, once they are committed. */
  append(links: Append): Promise<ChainHead> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ ...links, resolve, reject });
      if (!this.#busy) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, BATCH);
      try {
        await this.#commit(batch);
      } catch (error) {
        // A locked, full or unreachable database fails for all of them: trying each alone would multiply the wait.
        if (batch.length === 1 || !isOfOneRecord(error)) for (const each of batch) each.reject(error);
        // One that cannot be written must not take the others along.
        else for (const each of batch) await this.#commit([each]).catch((alone: unknown) => each.reject(alone));
      }
    }
    this.#busy = false;
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const heads = await this.#db.transaction().execute((tx) => write(tx, batch));
    batch.forEach((each, index) => each.resolve(heads[index]!));
  }
}

/** True when the cause may lie in one record of the batch: SQLSTATE classes 22 and 23, SQLite's constraint, or our own. */
function isOfOneRecord(error: unknown): boolean {
  const { errcode, code } = error as { errcode?: unknown; code?: unknown };
  if (typeof errcode === 'number') return (errcode & 0xff) === SQLITE_CONSTRAINT;
  if (KubewrightError.is(error)) return false;
  return typeof code === 'string' ? /^2[23]/.test(code) : true;
}

async function write(tx: Transaction<Tables>, batch: readonly Append[]): Promise<ChainHead[]> {
  const heads = await lock(tx, [ALL, ...new Set(batch.map(({ chain }) => chain))]);
  let pos = heads.get(ALL)!.n;
  const rows: JournalRow[] = [];
  const links: LinkRow[] = [];
  const ends: NonNullable<Append['end']>[] = [];
  const answers: ChainHead[] = [];
  for (const { chain, begin, end } of batch) {
    const link = (part: LinkRow['part'], record: string, line: (place: LinkPlace) => string): void => {
      const { n, hash: prev } = heads.get(chain)!;
      const hash = lineHash(line({ chain, n: n + 1, prev }));
      heads.set(chain, { n: n + 1, hash });
      links.push({ pos: ++pos, chain, n: n + 1, hash, record, part });
    };
    if (begin) {
      link('begin', begin.id, (place) => beginLine(begin, place));
      rows.push({ ...begin, ...NOT_ENDED, ...end });
    }
    if (end) {
      link('end', end.id, (place) => endLine(end, place));
      if (!begin) ends.push(end);
    }
    answers.push(heads.get(chain)!);
  }
  for (let from = 0; from < rows.length; from += ROWS) {
    await tx
      .insertInto('journal')
      .values(rows.slice(from, from + ROWS))
      .execute();
  }
  for (const { id, kind: _kind, ...ended } of ends) {
    const { numUpdatedRows } = await tx
      .updateTable('journal')
      .set(ended)
      .where('id', '=', id)
      .where('ended_at', 'is', null)
      .executeTakeFirst();
    if (numUpdatedRows !== 1n) throw new Error(`the record ${id} is not open`);
  }
  for (let from = 0; from < links.length; from += ROWS) {
    await tx
      .insertInto('links')
      .values(links.slice(from, from + ROWS))
      .execute();
  }
  heads.set(ALL, { n: pos, hash: '' });
  await saveHeads(tx, [...heads]);
  return answers;
}

/** The heads of these chains. `*` comes first: until the transaction ends, no other one appends. */
async function lock(tx: Transaction<Tables>, chains: readonly string[]): Promise<Map<string, ChainHead>> {
  const heads = new Map<string, ChainHead>();
  for (let from = 0; from < chains.length; from += ROWS) {
    const found = await tx
      .insertInto('chains')
      .values(chains.slice(from, from + ROWS).map((id) => ({ id, n: 0, hash: NO_HASH })))
      .onConflict((conflict) => conflict.column('id').doUpdateSet((eb) => ({ n: eb.ref('chains.n') })))
      .returningAll()
      .execute();
    for (const { id, n, hash } of found) heads.set(id, { n, hash });
  }
  return heads;
}

async function saveHeads(tx: Transaction<Tables>, heads: readonly (readonly [string, ChainHead])[]): Promise<void> {
  for (let from = 0; from < heads.length; from += ROWS) {
    await tx
      .insertInto('chains')
      .values(heads.slice(from, from + ROWS).map(([id, { n, hash }]) => ({ id, n, hash })))
      .onConflict((conflict) =>
        conflict.column('id').doUpdateSet((eb) => ({ n: eb.ref('excluded.n'), hash: eb.ref('excluded.hash') })),
      )
      .execute();
  }
}
