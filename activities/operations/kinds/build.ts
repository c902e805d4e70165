import { losingRole } from '../membership.ts';
import { defineOperation, someHosts, somePhases } from '../operation-kind.ts';
import { askedHosts } from '../plan-phases.ts';
import { rollingSizes } from '../windows.ts';

/**
 * Every phase on every host that it is for, or on the hosts and of the phases that were asked for. Hosts in quarantine are left
 * out unless they are asked for by name; those that are asked for are in again when it succeeds.
 */
export default defineOperation({
  name: 'build',
  title: 'brings the cluster to the state of its spec',
  role: 'operator',
  modes: ['apply', 'check'],
  request: { ...somePhases, ...someHosts },
  startedBy: ['spec'],
  effect: 'builds',
  clusterStates: { running: 'building', failed: 'failed', stopped: 'incomplete' },

  plan(input, cluster, { served, before, phases }) {
    const { keep, quarantined } = askedHosts(input, cluster);
    const leaving = before ? losingRole(before, cluster, phases).filter((host) => !quarantined.includes(host)) : [];
    return {
      ...{ keep, quarantined, rolls: { served, before, sizes: rollingSizes(cluster) } },
      ...(leaving.length > 0 && input.phases === undefined ? { handOver: { phase: 'hand-over', hosts: leaving } } : {}),
    };
  },
});
