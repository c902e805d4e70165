import { refusedSwitches } from '../activities/operations/switches.ts';
import type { ClusterSpec } from '../contracts/cluster.ts';
import { KubewrightError } from '../contracts/errors.ts';
import type { ApiDeps } from './deps.ts';

/**
 * Throws SWITCH_REFUSED when this spec would cut off pods that run in the cluster. `base`: the spec that the cluster has. A
 * cluster of which no build has succeeded yet may change.
 */
export async function requireNoSwitch(deps: ApiDeps, spec: ClusterSpec, base: ClusterSpec | null): Promise<void> {
  const errors = base ? refusedSwitches(base, spec, deps.phases) : [];
  const [first] = errors;
  if (!first || !(await deps.store.projections.wasBuilt(spec.metadata.name))) return;
  throw new KubewrightError('SWITCH_REFUSED', `${first.path} ${first.message}`, { errors });
}
