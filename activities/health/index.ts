import { HEALTH_REASONS, type Health } from '../../contracts/health.ts';
import { controlPlanes } from './checks/control-planes.ts';
import { etcd } from './checks/etcd.ts';
import { hosts } from './checks/hosts.ts';
import { nodes } from './checks/nodes.ts';
import { workloads } from './checks/workloads.ts';
import { type HealthCheck, type HealthView, rowsOf } from './view.ts';

/** Parts of the health, the most telling first: reasons beyond HEALTH_REASONS are counted only. */
const CHECKS: readonly HealthCheck[] = [controlPlanes, etcd, nodes, workloads, hosts];

/**
 * The verdict. Unknown where no control plane said anything; a cluster that is not there yet (`absent`) has no reasons
 * either. Pure.
 */
export function healthOf(
  view: HealthView,
  {
    at,
    operationId,
    quarantined,
  }: Pick<Health, 'at' | 'operationId'> & {
    quarantined: readonly { host: string; why: string; since: string }[];
  },
): Health {
  const absent = rowsOf(view.rows, 'absent').length > 0;
  if (absent) return { state: 'unknown', at, operationId, reasons: [], reasonCount: 0 };
  const all = [
    ...quarantined.map(({ host, why, since }) => ({
      code: 'HOST_QUARANTINED' as const,
      subject: `host ${host}`,
      reason: `the cluster goes on without ${host}`,
      evidence: why,
      since,
    })),
    ...CHECKS.flatMap((check) => check(view)),
  ];
  const state = view.rows === null ? 'unknown' : all.length > 0 ? 'degraded' : 'healthy';
  return { state, at, operationId, reasons: all.slice(0, HEALTH_REASONS), reasonCount: all.length };
}
