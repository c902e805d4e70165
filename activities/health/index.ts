import { HEALTH_REASONS, type Health } from '../../contracts/health.ts';
import { scanFolder } from '../../store/scan-folder.ts';
import { type HealthCheck, type HealthView, rowsOf } from './view.ts';

/** The parts of the health in a folder (default: `checks/`), by rank. Adding a part is adding a file. */
export async function scanHealthChecks(folder: URL = new URL('./checks/', import.meta.url)): Promise<HealthCheck[]> {
  const isCheck = (value: unknown): value is HealthCheck =>
    typeof value === 'object' && value !== null && 'rank' in value && 'reasonsOf' in value;
  return (await scanFolder(folder, isCheck)).sort((one, other) => one.rank - other.rank);
}

const CHECKS: readonly HealthCheck[] = await scanHealthChecks();

/**
 * The verdict. Unknown where no control plane said anything, but for an etcd that lost its majority; a cluster that is not there yet (`absent`) has no reasons
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
      reason: `host ${host} is in quarantine`,
      evidence: why,
      since,
    })),
    ...CHECKS.flatMap((check) => check.reasonsOf(view)),
  ];
  // Members of etcd say it themselves, whether or not a control plane answers.
  const isKnown = view.rows !== null || all.some(({ code }) => code === 'ETCD_QUORUM_LOST');
  const state = !isKnown ? 'unknown' : all.length > 0 ? 'degraded' : 'healthy';
  return { state, at, operationId, reasons: all.slice(0, HEALTH_REASONS), reasonCount: all.length };
}
