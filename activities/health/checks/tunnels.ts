import { kubeHosts } from '../../../contracts/cluster.ts';
import type { HealthReason } from '../../../contracts/health.ts';
import { defineHealthCheck, rowsOf, shortened } from '../view.ts';

/** Nodes that are named; the rest is counted. */
const NAMED = 5;

/** Each node of a pod network that keeps a tunnel to each other node has them all. Hosts that were not asked, or have another network, say nothing. */
export default defineHealthCheck(17, ({ cluster, out, hosts }) => {
  const nodes = kubeHosts(cluster)
    .map(({ name }) => name)
    .filter((name) => !out.has(name));
  return hosts.flatMap(({ host, rows }): HealthReason[] => {
    if (out.has(host.name) || rowsOf(rows, 'tunnels').length === 0) return [];
    const states = new Map(rowsOf(rows, 'tunnel').map(([node = '', state = '']) => [node, state]));
    // Nothing was built there yet.
    if (states.size === 0) return [];
    const lacking = nodes.filter((name) => name !== host.name && states.get(name) !== 'up');
    if (lacking.length === 0) return [];
    const more = lacking.length > NAMED ? `, and ${lacking.length - NAMED} more` : '';
    return [
      {
        code: 'TUNNEL_MISSING',
        subject: `node ${host.name}`,
        reason: `${host.name} has no tunnel to ${lacking.slice(0, NAMED).join(', ')}${more}: their pods do not reach each other`,
        evidence: shortened(
          lacking.map((name) => `${name}: ${states.get(name) ?? 'not known on the host'}`).join(', '),
        ),
      },
    ];
  });
});
