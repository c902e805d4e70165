import type { HealthReason } from '../../../contracts/health.ts';
import { SYSTEM_NAMESPACE } from '../../kube/manifests/common.ts';
import { defineHealthCheck, type Rows, rowsOf, shortened, timeOf, unquoted } from '../view.ts';

/** Pods of one workload whose reasons are listed. */
const PODS = 3;

/** Deployments, DaemonSets and APIs that our phases keep running: there, with the desired number of ready pods. */
export default defineHealthCheck(40, ({ rows, objects }) => {
  if (rowsOf(rows, 'node').length === 0) return [];
  return objects.flatMap((object): HealthReason[] => {
    const [kind = '', name = ''] = object.split('/');
    if (kind === 'APIService') return apiService(rows, name);
    const subject = `${kind.toLowerCase()} ${SYSTEM_NAMESPACE}/${name}`;
    const found = rowsOf(rows, 'workload').find((row) => row[0] === kind && row[1] === name);
    if (!found) return [{ code: 'WORKLOAD_MISSING', subject, reason: `${subject} is missing` }];
    const [wanted = 0, available = 0] = found.slice(2, 4).map(Number);
    const pods = rowsOf(rows, 'pod').filter(([, owner = '']) => isOf(owner, kind, name));
    // Enough of the former pods may serve while a rollout is stuck.
    if (available >= wanted && pods.length === 0) return [];
    const stuck = pods.length > 0 && available >= wanted ? `, and ${pods.length} that does not become ready` : '';
    const evidence = pods.slice(0, PODS).map((pod) => podText(rows, pod));
    const more = pods.length > PODS ? [`and ${pods.length - PODS} more`] : [];
    const since = timeOf(found[5]) ?? pods.flatMap(([, , , created]) => timeOf(created) ?? []).sort()[0];
    return [
      {
        code: 'WORKLOAD_UNAVAILABLE',
        subject,
        reason: `${subject} has ${available} of ${wanted} pods available${stuck}`,
        evidence: shortened([...evidence, ...more].join('\n') || 'it has no pods'),
        since,
      },
    ];
  });
});

/** A Deployment's pods belong to a ReplicaSet of its name and a hash. */
const isOf = (owner: string, kind: string, name: string): boolean =>
  kind === 'Deployment' ? owner.replace(/-[a-z0-9]+$/, '') === `ReplicaSet/${name}` : owner === `${kind}/${name}`;

/** `pod coredns-1 Pending on w-1: FailedScheduling: ...`: of several things said, the newest event first. */
function podText(rows: Rows | null, [name = '', , phase, , node]: readonly string[]): string {
  const events = [
    ...rowsOf(rows, 'event')
      .filter(([pod]) => pod === name)
      .slice(-1),
    ...rowsOf(rows, 'says').filter(([pod]) => pod === name),
  ].map(([, reason, message]) => `${reason}: ${shortened(unquoted(message), 300)}`.replace(/: $/, ''));
  return `pod ${name} ${phase}${node ? ` on ${node}` : ''}${events.length > 0 ? `: ${[...new Set(events)].slice(0, 3).join('; ')}` : ''}`;
}

function apiService(rows: Rows | null, name: string): HealthReason[] {
  const subject = `apiservice ${name}`;
  const found = rowsOf(rows, 'apiservice').find((row) => row[0] === name);
  if (!found) return [{ code: 'API_SERVICE_UNAVAILABLE', subject, reason: `${subject} is missing` }];
  const [, status, since, why, message] = found;
  if (status === 'True') return [];
  const evidence = shortened(`${why}: ${unquoted(message)}`);
  return [
    {
      code: 'API_SERVICE_UNAVAILABLE',
      subject,
      reason: `the API ${name} is not available`,
      evidence,
      since: timeOf(since),
    },
  ];
}
