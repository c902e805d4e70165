import { KubewrightError } from '../contracts/errors.ts';
import type { OperationStatus } from '../contracts/operation.ts';
import type { ApiDeps } from './deps.ts';
import { requireCluster } from './routes/shared.ts';

/**
 * The operation of the cluster that takes commands now. Throws NOT_FOUND when there is no such cluster or operation,
 * CONFLICT when none runs, or not the one that was `asked` for.
 */
export async function requireActive(deps: ApiDeps, cluster: string, asked?: string): Promise<OperationStatus> {
  const { projections } = deps.store;
  const active = await projections.activeOperation(cluster);
  if (active && (asked === undefined || asked === active.operationId)) return active;
  const latest = asked === undefined ? await projections.latestOperation(cluster) : null;
  const meant = asked === undefined ? latest : await projections.operation(cluster, asked);
  if (!meant) {
    if (asked === undefined || !active) await requireCluster(deps, cluster);
    const what = asked === undefined ? 'no operation' : `no operation ${asked}`;
    throw new KubewrightError('NOT_FOUND', `the cluster ${cluster} has ${what}`);
  }
  const { operationId, state } = meant;
  const how = state === 'queued' ? 'has not begun' : 'has ended';
  const instead = active ? `; operation ${active.operationId} runs` : '';
  throw new KubewrightError('CONFLICT', `operation ${operationId} ${how} (${state})${instead}`);
}
