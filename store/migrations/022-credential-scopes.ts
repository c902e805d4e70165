import type { Kysely } from 'kysely';
import type { ClusterSpec } from '../../contracts/cluster.ts';
import { credentialUses } from '../../contracts/credential-use.ts';
import { approvalStore } from '../approvals.ts';
import { FINAL_STATES } from '../changes.ts';
import type { Tables } from '../schema.ts';

/** Who approved what was in use before there were approvals. */
const UPGRADE = 'upgrade';

/**
 * Approvals of logins, and confirmed host keys. What is in use goes on: every login of a cluster's present spec and of
 * operations that are not over is approved, every host key that was recorded is confirmed. May run twice.
 */
export default async function credentialScopes(db: Kysely<Tables>): Promise<void> {
  await db.schema
    .createTable('login_approvals')
    .ifNotExists()
    .addColumn('cluster', 'text', (column) => column.notNull())
    .addColumn('use_digest', 'text', (column) => column.notNull())
    .addColumn('approved_by', 'text', (column) => column.notNull())
    .addColumn('approved_at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('login_approvals_pk', ['cluster', 'use_digest'])
    .execute();
  const tables = await db.introspection.getTables();
  const keys = tables.find(({ name }) => name === 'host_keys');
  if (!keys?.columns.some(({ name }) => name === 'confirmed_by')) {
    await db.schema.alterTable('host_keys').addColumn('confirmed_by', 'text').execute();
    await db.updateTable('host_keys').set({ confirmed_by: UPGRADE }).execute();
  }
  const present = await db.selectFrom('clusters').select(['name as cluster', 'spec_ref']).execute();
  const open = await db
    .selectFrom('operations')
    .select(['cluster', 'spec_ref'])
    .where('mode', '=', 'apply')
    .where('state', 'not in', [...FINAL_STATES])
    .execute();
  for (const { cluster, spec_ref } of [...present, ...open]) {
    const row = await db.selectFrom('specs').select('document').where('digest', '=', spec_ref).executeTakeFirst();
    if (!row) continue;
    const uses = credentialUses(JSON.parse(row.document) as ClusterSpec).map(({ use }) => use);
    await approvalStore(db).add(cluster, uses, UPGRADE);
  }
}
