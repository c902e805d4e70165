import type { Transaction } from 'kysely';
import type { Health } from '../contracts/health.ts';
import type { OperationStatus } from '../contracts/operation.ts';
import type { Tables } from './schema.ts';

/**
 * Keep what an operation saw of its cluster's health, when it was about the cluster as it is (a dry run of another spec
 * is not) and nothing newer is known. A cluster that was torn down has none.
 */
export async function saveHealth(tx: Transaction<Tables>, status: OperationStatus, removed: boolean): Promise<void> {
  const { health, cluster } = status;
  if (!health && !removed) return;
  const row = await tx
    .selectFrom('clusters')
    .select(['health', 'spec_ref'])
    .where('name', '=', cluster)
    .executeTakeFirst();
  if (!row || (status.mode === 'check' && row.spec_ref !== status.specRef)) return;
  const known = healthFrom(row.health);
  if (health && known && known.at > health.at) return;
  const values = health && !removed ? { health: JSON.stringify(health), health_state: health.state } : NONE;
  await tx.updateTable('clusters').set(values).where('name', '=', cluster).execute();
}

const NONE = { health: null, health_state: null };

/** The column as it was written; null: not checked yet. */
export const healthFrom = (text: string | null): Health | null => (text === null ? null : (JSON.parse(text) as Health));
