import { deflateSync, inflateSync } from 'node:zlib';
import type { Kysely } from 'kysely';
import { sha256 } from './canonical.ts';
import type { BlobRow, Tables } from './schema.ts';
import { now } from './time.ts';

/** Output of commands, by the sha256 of its text (UTF-8). */
export interface BlobStore {
  put(text: string): Promise<string>;
  get(digest: string): Promise<string | null>;
  /** What is wrong with stored texts, behind a digest: see each of them. For the audit. */
  check(after: string, limit: number): Promise<{ digest: string; problem: string | null }[]>;
  /** Bytes of those among the digests that are stored. */
  sizes(digests: readonly string[]): Promise<Map<string, number>>;
}

/** Below this, compression costs more than it saves. */
const COMPRESS_FROM_BYTES = 512;
/** Digests known to be stored. The same short outputs come back all the time. */
const KNOWN = 4096;
/** For how long, ms: retention looks at who stored a text in the last day, and must see that it is still in use. */
const KNOWN_MS = 3_600_000;

export function blobStore(db: Kysely<Tables>): BlobStore {
  const known = new Map<string, number>();
  return {
    async put(text) {
      const bytes = Buffer.from(text);
      const digest = sha256(bytes);
      if ((known.get(digest) ?? 0) > Date.now() - KNOWN_MS) return digest;
      const used_at = now();
      const small = bytes.length < COMPRESS_FROM_BYTES;
      const data = small ? bytes : deflateSync(bytes, { level: 1 });
      await db
        .insertInto('blobs')
        .values({
          sha256: digest,
          size: bytes.length,
          encoding: small ? 'raw' : 'deflate',
          data,
          data_sha256: sha256(data),
          used_at,
        })
        .onConflict((conflict) => conflict.column('sha256').doUpdateSet({ used_at }))
        .execute();
      if (known.size >= KNOWN) known.clear();
      known.set(digest, Date.now());
      return digest;
    },
    async check(after, limit) {
      const rows = await db
        .selectFrom('blobs')
        .selectAll()
        .where('sha256', '>', after)
        .orderBy('sha256')
        .limit(limit)
        .execute();
      return rows.map((row) => ({ digest: row.sha256, problem: problemOf(row) }));
    },
    async sizes(digests) {
      if (digests.length === 0) return new Map();
      const rows = await db.selectFrom('blobs').select(['sha256', 'size']).where('sha256', 'in', digests).execute();
      return new Map(rows.map((row) => [row.sha256, row.size]));
    },
    async get(digest) {
      const row = await db
        .selectFrom('blobs')
        .select(['encoding', 'data'])
        .where('sha256', '=', digest)
        .executeTakeFirst();
      if (!row) return null;
      return (row.encoding === 'raw' ? Buffer.from(row.data) : inflateSync(row.data)).toString('utf8');
    },
  };
}

function problemOf({ sha256: digest, size, encoding, data, data_sha256: stored }: BlobRow): string | null {
  if (encoding !== 'raw' && encoding !== 'deflate') return `its encoding is ${JSON.stringify(encoding)}`;
  if (sha256(data) !== stored) return 'its stored bytes were changed';
  let text: Uint8Array;
  try {
    text = encoding === 'raw' ? data : inflateSync(data);
  } catch {
    return 'it cannot be decompressed';
  }
  if (sha256(text) !== digest) return 'its content is not what its digest says';
  return text.length === size ? null : `its size is ${text.length}, not ${size}`;
}
