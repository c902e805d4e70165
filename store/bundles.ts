import { createHash } from 'node:crypto';
import { deflateSync, inflateSync } from 'node:zlib';
import type { Kysely } from 'kysely';
import { ulid } from 'ulid';
import { sha256 } from './canonical.ts';
import { FINAL_STATES } from './changes.ts';
import type { Tables } from './schema.ts';

export interface BundleInfo {
  cluster: string;
  operation: string;
  id: string;
  /** Bytes of the file. */
  size: number;
  sha256: string;
  createdAt: string;
}

/** The sealed file of each operation that is over. Written once; never changed. */
export interface BundleStore {
  find(cluster: string, operation: string): Promise<BundleInfo | null>;
  /** Every bundle behind a cluster and operation, in their order. */
  list(after: { cluster: string; operation: string }, limit: number): Promise<BundleInfo[]>;
  /** Pieces that no bundle is made of, by the id of that bundle. For the audit. */
  loose(): Promise<{ id: string; pieces: number; last: number }[]>;
  /** Keep a file. When another process kept one meanwhile, that one counts. */
  save(cluster: string, operation: string, file: AsyncIterable<Uint8Array>): Promise<BundleInfo>;
  /** Throws when a piece is not what was written. */
  read(id: string): AsyncIterable<Uint8Array>;
  /** Operations that are over and have no bundle, the oldest first. */
  missing(limit: number): Promise<{ cluster: string; operation: string }[]>;
}

/** Bytes of a piece before compression. */
const PIECE_BYTES = 1024 * 1024;

export function bundleStore(db: Kysely<Tables>): BundleStore {
  const find = async (cluster: string, operation: string): Promise<BundleInfo | null> => {
    const row = await db
      .selectFrom('bundles')
      .selectAll()
      .where('cluster', '=', cluster)
      .where('operation', '=', operation)
      .executeTakeFirst();
    return row ? infoOf(row) : null;
  };
  const count = async (bundle: string): Promise<number> => {
    const { pieces } = await db
      .selectFrom('bundle_pieces')
      .select(({ fn }) => fn.countAll().as('pieces'))
      .where('bundle', '=', bundle)
      .executeTakeFirstOrThrow();
    return Number(pieces);
  };
  return {
    find,
    async list({ cluster, operation }, limit) {
      const rows = await db
        .selectFrom('bundles')
        .selectAll()
        .where((where) =>
          where.or([
            where('cluster', '>', cluster),
            where.and([where('cluster', '=', cluster), where('operation', '>', operation)]),
          ]),
        )
        .orderBy('cluster')
        .orderBy('operation')
        .limit(limit)
        .execute();
      return rows.map(infoOf);
    },
    async save(cluster, operation, file) {
      const at = Date.now();
      const id = ulid(at);
      const hash = createHash('sha256');
      let size = 0;
      try {
        let n = 0;
        let pending: Tables['bundle_pieces'] | undefined;
        for await (const piece of pieces(file)) {
          hash.update(piece);
          size += piece.length;
          if (pending) await db.insertInto('bundle_pieces').values(pending).execute();
          const data = deflateSync(piece, { level: 1 });
          pending = { bundle: id, n: n++, data, sha256: sha256(data) };
        }
        // The last piece comes with the row: pieces that make a whole file without one are no save that was cut off.
        const row = {
          cluster,
          operation,
          id,
          size,
          sha256: hash.digest('hex'),
          created_at: new Date(at).toISOString(),
        };
        await db.transaction().execute(async (tx) => {
          if (pending) await tx.insertInto('bundle_pieces').values(pending).execute();
          const { numInsertedOrUpdatedRows } = await tx
            .insertInto('bundles')
            .values(row)
            .onConflict((conflict) => conflict.columns(['cluster', 'operation']).doNothing())
            .executeTakeFirst();
          if (numInsertedOrUpdatedRows !== 1n) await tx.deleteFrom('bundle_pieces').where('bundle', '=', id).execute();
        });
      } catch (error) {
        await db.deleteFrom('bundle_pieces').where('bundle', '=', id).execute();
        throw error;
      }
      return (await find(cluster, operation))!;
    },
    async loose() {
      const rows = await db
        .selectFrom('bundle_pieces')
        .leftJoin('bundles', 'bundles.id', 'bundle_pieces.bundle')
        .select(({ fn }) => ['bundle_pieces.bundle as id', fn.countAll().as('pieces'), fn.max('n').as('last')])
        .where('bundles.id', 'is', null)
        .groupBy('bundle_pieces.bundle')
        .orderBy('bundle_pieces.bundle')
        .execute();
      return rows.map(({ id, pieces: found, last }) => ({ id, pieces: Number(found), last: Number(last) }));
    },
    async *read(id) {
      for (let n = 0; ; n += 1) {
        const row = await db
          .selectFrom('bundle_pieces')
          .select(['data', 'sha256'])
          .where('bundle', '=', id)
          .where('n', '=', n)
          .executeTakeFirst();
        if (!row) {
          const pieces = await count(id);
          if (pieces !== n) throw new Error(`the bundle ${id} has ${pieces} pieces, and only ${n} follow each other`);
          return;
        }
        if (sha256(row.data) !== row.sha256) throw new Error(`piece ${n} of the bundle ${id} was changed`);
        yield inflateSync(row.data);
      }
    },
    async missing(limit) {
      const rows = await db
        .selectFrom('operations')
        .leftJoin('bundles', (join) =>
          join.onRef('bundles.cluster', '=', 'operations.cluster').onRef('bundles.operation', '=', 'operations.id'),
        )
        .select(['operations.cluster', 'operations.id as operation'])
        .where('operations.state', 'in', [...FINAL_STATES])
        .where('operations.started_at', 'is not', null)
        .where('bundles.id', 'is', null)
        .orderBy('operations.queued_at')
        .limit(limit)
        .execute();
      return rows;
    },
  };
}

/** The same bytes in pieces of one size. */
async function* pieces(file: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of file) {
    waiting.push(chunk);
    bytes += chunk.length;
    if (bytes < PIECE_BYTES) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(waiting);
}

function infoOf(row: Tables['bundles']): BundleInfo {
  const { cluster, operation, id, size, sha256, created_at } = row;
  return { cluster, operation, id, size, sha256, createdAt: created_at };
}
