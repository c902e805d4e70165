import type { Kysely, SelectQueryBuilder } from 'kysely';
import { beginLine, endLine, learnsOperation, NO_HASH, NOT_ENDED } from './journal-record.ts';
import type { JournalRow, LinkRow, Tables } from './schema.ts';

/** A link as it stands in the database, with the line that its record gives now. */
export interface ChainLine {
  pos: number;
  n: number;
  /** As it was written. Right, when it is the sha256 of the line. */
  hash: string;
  record: string;
  part: 'begin' | 'end';
  /** Null: there is no such record. */
  line: string | null;
  /** Digests of the outputs that an end names. */
  outputs: string[];
}

/** Reads chains as they can be checked: in order, each half of a record as the canonical line that was hashed. */
export interface ChainReader {
  /** Links behind `after` (0: from the beginning). */
  lines(chain: string, after: number, limit: number): Promise<ChainLine[]>;
  /** All links of these records, whatever their chains, by chain and number. */
  linesOf(records: readonly string[]): Promise<(ChainLine & { chain: string })[]>;
  /** Every chain with its head, behind a name. */
  heads(after: string, limit: number): Promise<{ id: string; n: number; hash: string }[]>;
  /** Of records without an end: those whose columns say something of an end all the same. */
  halfEnded(records: readonly string[]): Promise<string[]>;
  /** What no chain leads to: records without a link, chains of links without a head. At most `limit` of each. */
  strays(limit: number): Promise<{ records: string[]; chains: string[] }>;
  /** How many links there are, and the highest position. */
  totals(): Promise<{ links: number; last: number }>;
  /** Where pruned chains begin, behind a name. */
  marks(after: string, limit: number): Promise<{ chain: string; n: number; hash: string; entry: string }[]>;
  /**
   * Remove the links 1 to `n` of a chain, the records that they are of, and keep the signed mark (audit/pruning-mark.ts)
   * that says so. Throws when link `n` is not there with this hash, a record has its halves on both sides, or one has no end
   * yet: the end would be written behind the mark, without its beginning. `over`: this chain gets no more records, and
   * what has no end never gets one. Returns the number of links removed.
   */
  prune(mark: { chain: string; n: number; hash: string; entry: string }, chain?: { over: boolean }): Promise<number>;
}

type Joined = LinkRow & { prev: string | null; row: JournalRow | null };

export function chainReader(db: Kysely<Tables>): ChainReader {
  const select = () =>
    db
      .selectFrom('links')
      .leftJoin('links as before', (join) =>
        join
          .onRef('before.chain', '=', 'links.chain')
          .on((on) => on.eb(on.ref('before.n'), '=', on.eb(on.ref('links.n'), '-', 1))),
      )
      .leftJoin('journal', 'journal.id', 'links.record')
      .leftJoin('chain_marks as mark', (join) =>
        join
          .onRef('mark.chain', '=', 'links.chain')
          .on((on) => on.eb(on.ref('mark.n'), '=', on.eb(on.ref('links.n'), '-', 1))),
      )
      .selectAll('journal')
      .select(['links.pos', 'links.chain', 'links.n', 'links.hash', 'links.record', 'links.part'])
      .select((eb) => eb.fn.coalesce('before.hash', 'mark.hash').as('prev'));
  const read = async (query: ReturnType<typeof select>): Promise<(ChainLine & { chain: string })[]> => {
    const rows = await (query as SelectQueryBuilder<Tables, 'links', Record<string, unknown>>).execute();
    return rows.map((row) => {
      const { pos, chain, n, hash, record, part, prev, ...journal } = row as unknown as LinkRow & JournalRow & Joined;
      return lineOf({ pos, chain, n, hash, record, part, prev, row: journal.id === null ? null : journal });
    });
  };
  return {
    lines: (chain, after, limit) =>
      read(select().where('links.chain', '=', chain).where('links.n', '>', after).orderBy('links.n').limit(limit)),
    async linesOf(records) {
      if (records.length === 0) return [];
      return read(select().where('links.record', 'in', records).orderBy('links.chain').orderBy('links.n'));
    },
    async halfEnded(records) {
      if (records.length === 0) return [];
      const rows = await db.selectFrom('journal').selectAll().where('id', 'in', records).execute();
      return rows.filter((row) => !untouched(row)).map(({ id }) => id);
    },
    async strays(limit) {
      const records = await db
        .selectFrom('journal')
        .leftJoin('links', (join) => join.onRef('links.record', '=', 'journal.id').on('links.part', '=', 'begin'))
        .select('journal.id')
        .where('links.pos', 'is', null)
        .limit(limit)
        .execute();
      const chains = await db
        .selectFrom('links')
        .leftJoin('chains', 'chains.id', 'links.chain')
        .select('links.chain')
        .distinct()
        .where('chains.id', 'is', null)
        .limit(limit)
        .execute();
      return { records: records.map(({ id }) => id), chains: chains.map(({ chain }) => chain) };
    },
    async totals() {
      const row = await db
        .selectFrom('links')
        .select(({ fn }) => [fn.countAll().as('links'), fn.max('pos').as('last')])
        .executeTakeFirstOrThrow();
      return { links: Number(row.links), last: Number(row.last ?? 0) };
    },
    marks: (after, limit) =>
      db.selectFrom('chain_marks').selectAll().where('chain', '>', after).orderBy('chain').limit(limit).execute(),
    prune: ({ chain, n, hash, entry }, { over } = { over: false }) =>
      db.transaction().execute(async (tx) => {
        const last = await tx
          .selectFrom('links')
          .select('hash')
          .where('chain', '=', chain)
          .where('n', '=', n)
          .executeTakeFirst();
        if (last?.hash !== hash) throw new Error(`the chain ${chain} has no link ${n} with the hash of the mark`);
        const pruned = tx.selectFrom('links').select('record').where('chain', '=', chain).where('n', '<=', n);
        const torn = await tx
          .selectFrom('links')
          .select('record')
          .where('chain', '=', chain)
          .where('n', '>', n)
          .where('record', 'in', pruned)
          .limit(1)
          .executeTakeFirst();
        if (torn) throw new Error(`the record ${torn.record} ends behind link ${n} of ${chain}`);
        const open = await tx
          .selectFrom('journal')
          .select('id')
          .where('id', 'in', pruned)
          .where('ended_at', 'is', null)
          .limit(1)
          .executeTakeFirst();
        if (open && !over) throw new Error(`the record ${open.id} of ${chain} has no end yet`);
        await tx.deleteFrom('journal').where('id', 'in', pruned).execute();
        const { numDeletedRows } = await tx
          .deleteFrom('links')
          .where('chain', '=', chain)
          .where('n', '<=', n)
          .executeTakeFirst();
        await tx
          .insertInto('chain_marks')
          .values({ chain, n, hash, entry })
          .onConflict((conflict) => conflict.column('chain').doUpdateSet({ n, hash, entry }))
          .execute();
        return Number(numDeletedRows);
      }),
    heads: (after, limit) =>
      db.selectFrom('chains').selectAll().where('id', '>', after).orderBy('id').limit(limit).execute(),
  };
}

/** As it was begun: nothing in it says that it ended. */
function untouched(row: JournalRow): boolean {
  const names = Object.keys(NOT_ENDED) as (keyof typeof NOT_ENDED)[];
  return names.every((name) => row[name] === NOT_ENDED[name]) && !(learnsOperation(row.kind) && row.operation !== '');
}

function lineOf({ pos, chain, n, hash, record, part, prev, row }: Joined): ChainLine & { chain: string } {
  const place = { chain, n, prev: prev ?? NO_HASH };
  const half = { begin: beginLine, end: endLine }[part] ?? (() => '');
  const line = row === null ? null : half(row, place);
  const outputs = row !== null && part === 'end' ? [row.stdout_sha256, row.stderr_sha256] : [];
  return { pos, chain, n, hash, record, part, line, outputs: outputs.filter((digest) => digest !== null) };
}
