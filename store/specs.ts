import type { Kysely } from 'kysely';
import type { ClusterSpec } from '../contracts/cluster.ts';
import { KubewrightError } from '../contracts/errors.ts';
import { canonicalJson, sha256 } from './canonical.ts';
import type { Tables } from './schema.ts';
import { putAddresses } from './spec-addresses.ts';
import { now } from './time.ts';

/** Specs, by the sha256 of their canonical JSON. Never changed, never deleted: operations refer to them. */
export interface SpecStore {
  put(spec: ClusterSpec): Promise<string>;
  /** Throws NOT_FOUND. */
  get(digest: string): Promise<ClusterSpec>;
  /** What is wrong with stored specs, behind a digest: see each of them. For the audit. */
  check(after: string, limit: number): Promise<{ digest: string; problem: string | null }[]>;
}

/** Parsed specs kept in memory: every task of an operation asks for the same one. */
const CACHED = 16;

export function specStore(db: Kysely<Tables>): SpecStore {
  const cache = new Map<string, ClusterSpec>();
  return {
    async put(spec) {
      const document = canonicalJson(spec);
      const digest = sha256(document);
      // First, so that no spec is known without the addresses of its hosts.
      await putAddresses(db, digest, spec);
      await db
        .insertInto('specs')
        .values({ digest, cluster: spec.metadata.name, document, created_at: now() })
        .onConflict((conflict) => conflict.column('digest').doNothing())
        .execute();
      return digest;
    },
    async get(digest) {
      const known = cache.get(digest);
      if (known) return known;
      const row = await db.selectFrom('specs').select('document').where('digest', '=', digest).executeTakeFirst();
      if (!row) throw new KubewrightError('NOT_FOUND', `there is no spec with the digest ${digest}`);
      const spec = JSON.parse(row.document) as ClusterSpec;
      if (cache.size >= CACHED) cache.delete(cache.keys().next().value!);
      cache.set(digest, spec);
      return spec;
    },
    async check(after, limit) {
      const rows = await db
        .selectFrom('specs')
        .select(['digest', 'document'])
        .where('digest', '>', after)
        .orderBy('digest')
        .limit(limit)
        .execute();
      return rows.map(({ digest, document }) => ({
        digest,
        problem: sha256(document) === digest ? null : 'its content is not what its digest says',
      }));
    },
  };
}
