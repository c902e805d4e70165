import type { Kysely } from 'kysely';
import type { CredentialUse } from '../contracts/credential-use.ts';
import { canonicalJson, sha256 } from './canonical.ts';
import type { Tables } from './schema.ts';
import { now } from './time.ts';

/**
 * Uses of credentials that an admin of all clusters approved by sending a spec with them: key files and agents of the
 * worker's machine, and stored credentials without clusters of their own.
 */
export interface ApprovalStore {
  /** Safe to repeat; the first approval stays. */
  add(cluster: string, uses: readonly CredentialUse[], by: string): Promise<void>;
  has(cluster: string, use: CredentialUse): Promise<boolean>;
  /** Drops those of a cluster that is gone. */
  remove(cluster: string): Promise<void>;
}

/** Rows of one insert: engines bound the number of their parameters. */
const AT_ONCE = 200;

export function approvalStore(db: Kysely<Tables>): ApprovalStore {
  return {
    async add(cluster, uses, by) {
      const digests = [...new Set(uses.map(useDigest))];
      for (let from = 0; from < digests.length; from += AT_ONCE) {
        const rows = digests
          .slice(from, from + AT_ONCE)
          .map((digest) => ({ cluster, use_digest: digest, approved_by: by, approved_at: now() }));
        await db
          .insertInto('login_approvals')
          .values(rows)
          .onConflict((conflict) => conflict.columns(['cluster', 'use_digest']).doNothing())
          .execute();
      }
    },
    async has(cluster, use) {
      const row = await db
        .selectFrom('login_approvals')
        .select('approved_at')
        .where('cluster', '=', cluster)
        .where('use_digest', '=', useDigest(use))
        .executeTakeFirst();
      return row !== undefined;
    },
    async remove(cluster) {
      await db.deleteFrom('login_approvals').where('cluster', '=', cluster).execute();
    },
  };
}

const useDigest = (use: CredentialUse): string => sha256(canonicalJson(use));
