import { findTraits } from '../activities/operations/kind-loader.ts';
import type { ClusterSpec } from '../contracts/cluster.ts';
import { FINAL_STATES } from '../store/changes.ts';
import type { ApiDeps } from './deps.ts';

/** Operations that are looked through: more do not wait for one cluster. */
const MAX_SCANNED = 100;

/**
 * The spec that a cluster has now: what changes are compared with. Of one that was removed, the spec that waits to make it
 * anew. Null before the first.
 */
export async function presentSpec(deps: ApiDeps, cluster: string): Promise<ClusterSpec | null> {
  const { projections, specs } = deps.store;
  const record = await projections.cluster(cluster);
  if (!record) return null;
  if (record.state !== 'removed') return await specs.get(record.specRef);
  const { items } = await projections.operations(cluster, { limit: MAX_SCANNED });
  const waiting = items.find(
    ({ mode, kind, state }) =>
      mode === 'apply' && findTraits(deps.kinds, kind)?.effect !== 'removes' && !FINAL_STATES.has(state),
  );
  return waiting ? await specs.get(waiting.specRef) : null;
}
