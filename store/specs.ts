import type { Kysely } from 'kysely';
import type { ClusterSpec } from '../contracts/cluster.ts';
import { KubewrightError } from '../contracts/errors.ts';
import { canonicalJson, sha256 } from './canonical.ts';
import type { Tables } from './schema.ts';
import { putAddresses } from './spec-addresses.ts';
import { isTime, now } from './time.ts';

/** What a spec's row says beside its content. */
export interface SpecAbout {
  cluster: string;
  createdAt: string;
  /** Digest of the row: the record of each operation that is opened with it names this. */
  row: string;
}

/** Specs, by the sha256 of their canonical JSON. Never changed, never deleted: operations refer to them. */
export interface SpecStore {
  put(spec: ClusterSpec): Promise<string>;
  /** Throws NOT_FOUND. */
  get(digest: string): Promise<ClusterSpec>;
  /** What is wrong with stored specs, behind a digest: see each of them. For the audit. */
  check(after: string, limit: number): Promise<(SpecAbout & { digest: string; problem: string | null })[]>;
  /** Whose a spec is, and when it was stored; null: there is no such spec. */
  about(digest: string): Promise<SpecAbout | null>;
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
        .selectAll()
        .where('digest', '>', after)
        .orderBy('digest')
        .limit(limit)
        .execute();
      return rows.map(({ digest, document, cluster, created_at: createdAt }) => ({
        ...{ digest, cluster, createdAt, row: rowDigest(digest, cluster, createdAt) },
        problem: problemOf({ digest, document, cluster, createdAt }),
      }));
    },
    async about(digest) {
      const row = await db.selectFrom('specs').selectAll().where('digest', '=', digest).executeTakeFirst();
      if (!row) return null;
      const { cluster, created_at: createdAt } = row;
      return { cluster, createdAt, row: rowDigest(digest, cluster, createdAt) };
    },
  };
}

const rowDigest = (digest: string, cluster: string, createdAt: string): string =>
  sha256(canonicalJson({ digest, cluster, createdAt }));

function problemOf(row: { digest: string; document: string; cluster: string; createdAt: string }): string | null {
  if (sha256(row.document) !== row.digest) return 'its content is not what its digest says';
  const { metadata } = JSON.parse(row.document) as ClusterSpec;
  if (metadata.name !== row.cluster) return `it is kept for the cluster ${row.cluster}, and is of ${metadata.name}`;
  return isTime(row.createdAt) ? null : 'the time of its storing is no time';
}
