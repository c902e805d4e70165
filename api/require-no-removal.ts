import { refusedRemovals } from '../activities/operations/removals.ts';
import type { ClusterSpec } from '../contracts/cluster.ts';
import { KubewrightError } from '../contracts/errors.ts';
import type { ApiDeps } from './deps.ts';

/**
 * Throws REMOVAL_REFUSED when this spec leaves out a host, or a role of a host, that the cluster has. `base`: the spec that
 * the cluster has. Hosts on which no build has gone through yet may leave.
 */
export async function requireNoRemoval(deps: ApiDeps, spec: ClusterSpec, base: ClusterSpec | null): Promise<void> {
  if (!base) return;
  const served = await deps.store.projections.servedHosts(spec.metadata.name);
  const errors = refusedRemovals(base, spec, { phases: deps.phases, served });
  const [first] = errors;
  if (first) throw new KubewrightError('REMOVAL_REFUSED', `${first.path} ${first.message}`, { errors });
}
