import { KubewrightError } from '../contracts/errors.ts';
import type { OperationStatus } from '../contracts/operation.ts';
import type { ApiDeps } from './deps.ts';
import { requireCluster } from './route.ts';

/**
 * The operation of the cluster that takes commands now. Throws NOT_FOUND when there is no such cluster or operation,
 * CONFLICT when none runs, or not the one that was `requested` for.
 */
export async function requireActive(deps: ApiDeps, cluster: string, requested?: string): Promise<OperationStatus> {
  const { projections } = deps.store;
  const active = await projections.activeOperation(cluster);
  if (active && (requested === undefined || requested === active.operationId)) return active;
  const latest = requested === undefined ? await projections.latestOperation(cluster) : null;
  const meant = requested === undefined ? latest : await projections.operation(cluster, requested);
  if (!meant) {
    if (requested === undefined || !active) await requireCluster(deps, cluster);
    const what = requested === undefined ? 'no operation' : `no operation ${requested}`;
    throw new KubewrightError('NOT_FOUND', `the cluster ${cluster} has ${what}`);
  }
  const { operationId, state } = meant;
  const how = state === 'queued' ? 'has not begun' : 'has ended';
  const instead = active ? `; operation ${active.operationId} runs` : '';
  throw new KubewrightError('CONFLICT', `operation ${operationId} ${how} (${state})${instead}`);
}
