import { deflateSync, inflateSync } from 'node:zlib';
import type { Kysely } from 'kysely';
import { sha256 } from './canonical.ts';
import type { Tables } from './schema.ts';

/** Output of commands, by the sha256 of its text (UTF-8). */
export interface BlobStore {
  put(text: string): Promise<string>;
  get(digest: string): Promise<string | null>;
}

/** Below this, compression costs more than it saves. */
const COMPRESS_FROM_BYTES = 512;
/** Digests known to be stored. The same short outputs come back all the time. */
const KNOWN = 4096;

export function blobStore(db: Kysely<Tables>): BlobStore {
  const known = new Set<string>();
  return {
    async put(text) {
      const bytes = Buffer.from(text);
      const digest = sha256(bytes);
      if (known.has(digest)) return digest;
      const small = bytes.length < COMPRESS_FROM_BYTES;
      await db
        .insertInto('blobs')
        .values({
          sha256: digest,
          size: bytes.length,
          encoding: small ? 'raw' : 'deflate',
          data: small ? bytes : deflateSync(bytes, { level: 1 }),
        })
        .onConflict((conflict) => conflict.column('sha256').doNothing())
        .execute();
      if (known.size >= KNOWN) known.clear();
      known.add(digest);
      return digest;
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
