import type { ClusterSpec } from '../contracts/cluster.ts';
import type { ApiDeps } from './deps.ts';

/** The spec that a cluster has now: what changes are compared with. Null before the first, and when it was removed. */
export async function presentSpec(deps: ApiDeps, cluster: string): Promise<ClusterSpec | null> {
  const record = await deps.store.projections.cluster(cluster);
  if (!record || record.state === 'removed') return null;
  return await deps.store.specs.get(record.specRef);
}
