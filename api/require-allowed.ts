import type { ClusterSpec } from '../contracts/cluster.ts';
import type { Caller } from './caller.ts';
import type { ApiDeps } from './deps.ts';
import { requireGuarded } from './require-guarded.ts';
import { requireLogins } from './require-logins.ts';

/**
 * May this caller make of `base`, the cluster's present spec, this valid spec? Throws FORBIDDEN for what needs an admin,
 * SPEC_INVALID for credentials that are not there for this use. What an admin sends is approved by it.
 */
export async function requireAllowed(
  deps: ApiDeps,
  caller: Caller,
  spec: ClusterSpec,
  base: ClusterSpec | null,
): Promise<void> {
  requireGuarded(deps.phases, caller, spec, base);
  await requireLogins(deps, caller, spec, base);
}
