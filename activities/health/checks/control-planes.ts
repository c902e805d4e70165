import type { HealthReason } from '../../../contracts/health.ts';
import { defineHealthCheck, rowsOf, shortened, timeOf } from '../view.ts';

/** Leader election of controller manager and scheduler renews every 2 s, and gives up after 15 s. */
const LEASE_MS = 40_000;
const LEADERS = ['kube-controller-manager', 'kube-scheduler'];

/** /readyz of every API server; the leases of the two that elect a leader. */
export default defineHealthCheck(10, ({ rows, out }) => {
  const servers = rowsOf(rows, 'readyz').flatMap(([host = '', answer = '']): HealthReason[] => {
    if (answer === 'ok' || out.has(host)) return [];
    const evidence = shortened(answer);
    return [
      {
        code: 'API_SERVER_NOT_READY',
        subject: `api server ${host}`,
        reason: `the API server of ${host} is not ready`,
        evidence,
      },
    ];
  });
  const failed = rowsOf(rows, 'kubectl').map(([, answer = '']): HealthReason => {
    const reason = 'the API did not answer all requests';
    return { code: 'API_SERVER_NOT_READY', subject: 'api server', reason, evidence: shortened(answer) };
  });
  if (rowsOf(rows, 'node').length === 0) return [...servers, ...(servers.length > 0 ? [] : failed)];
  // By the clock of the host that asked: leases carry the time of their holders.
  const now = Date.parse(rowsOf(rows, 'now')[0]?.[0] ?? '');
  const leases = new Map(rowsOf(rows, 'lease').map(([name = '', ...rest]) => [name, rest]));
  const leaders = LEADERS.flatMap((name): HealthReason[] => {
    const [renewed = '', holder = ''] = leases.get(name) ?? [];
    if (now - Date.parse(renewed) < LEASE_MS) return [];
    const evidence = renewed === '' ? 'there is no lease' : `last renewed ${renewed} by ${holder}`;
    return [
      { code: 'LEADER_LOST', subject: name, reason: `no ${name} holds its lease`, evidence, since: timeOf(renewed) },
    ];
  });
  return [...servers, ...failed, ...leaders];
});
