import type { Kysely } from 'kysely';
import type { Tables } from './schema.ts';

/** A signed entry as it is stored. What it says, and its signature, are the affair of audit/anchor.ts. */
export interface StoredAnchor {
  /** From 1. */
  n: number;
  /** Links up to this position are covered by it and those before it. */
  pos: number;
  entry: string;
}

/** The last link of a chain within a stretch of positions. */
export interface StretchHead {
  chain: string;
  n: number;
  hash: string;
}

/** Signed heads of chains, in the order of signing. Written once; never changed. */
export interface AnchorStore {
  /** The newest one; null before the first. */
  last(): Promise<StoredAnchor | null>;
  find(n: number): Promise<StoredAnchor | null>;
  /** Behind a number, in order. */
  list(after: number, limit: number): Promise<StoredAnchor[]>;
  /** False when there is one with this number: another process signed meanwhile. */
  add(anchor: StoredAnchor): Promise<boolean>;
  /** At most `limit` links behind a position: the last of them, and the head of each chain among them. */
  stretch(after: number, limit: number): Promise<{ pos: number; links: number; heads: StretchHead[] }>;
}

export function anchorStore(db: Kysely<Tables>): AnchorStore {
  return {
    async last() {
      return (await db.selectFrom('anchors').selectAll().orderBy('n', 'desc').limit(1).executeTakeFirst()) ?? null;
    },
    async find(n) {
      return (await db.selectFrom('anchors').selectAll().where('n', '=', n).executeTakeFirst()) ?? null;
    },
    list: (after, limit) =>
      db.selectFrom('anchors').selectAll().where('n', '>', after).orderBy('n').limit(limit).execute(),
    async add(anchor) {
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('anchors')
        .values(anchor)
        .onConflict((conflict) => conflict.column('n').doNothing())
        .executeTakeFirst();
      return numInsertedOrUpdatedRows === 1n;
    },
    async stretch(after, limit) {
      // Positions grow in the order of commits: what is behind the last one was not there before.
      const links = await db
        .selectFrom('links')
        .select(['pos', 'chain', 'n', 'hash'])
        .where('pos', '>', after)
        .orderBy('pos')
        .limit(limit)
        .execute();
      const heads = new Map(links.map(({ chain, n, hash }) => [chain, { chain, n, hash }]));
      return { pos: links.at(-1)?.pos ?? after, links: links.length, heads: [...heads.values()] };
    },
  };
}
