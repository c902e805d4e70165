import { KubewrightError } from '../../../contracts/errors.ts';
import type { Phase } from '../../phases/phase.ts';
import { hasRole, writesDown } from '../membership.ts';
import { defineOperation, someHosts } from '../operation-kind.ts';
import { quarantinedOf } from '../plan-phases.ts';
import { rollingSizes } from '../windows.ts';

/**
 * Every phase of the hosts that come out of quarantine (default: all that are in it), and of the cluster-wide phases on
 * another host only those that act per node. No other host has a task, but for those that would not let a new machine in or
 * not find it: what leads clients to it changes when it serves.
 */
export default defineOperation({
  name: 'heal',
  title: 'brings hosts out of quarantine back in',
  role: 'operator',
  modes: ['apply'],
  request: someHosts,
  startedBy: ['replacement'],
  effect: 'repairs',
  targets: 'quarantined',
  // What it does not bring back was out before.
  clusterStates: { running: 'building', failed: 'degraded', stopped: 'degraded' },

  async guard({ cluster, request: { hosts } }, world) {
    chosen(cluster, hosts, await world.quarantined());
  },

  plan(input, cluster, { served }) {
    const all = quarantinedOf(input, cluster);
    const focus = chosen(input.cluster, input.hosts, all);
    const quarantined = all.filter((host) => !focus.includes(host));
    /** It would not let a new machine in, or not find it. */
    const mustKnow = (host: string, phase: Phase) =>
      input.replaced !== undefined &&
      !quarantined.includes(host) &&
      ((phase.allowlistsPeers !== undefined && hasRole(cluster, host, phase.allowlistsPeers)) ||
        writesDown(cluster, phase, input.replaced));
    return {
      keep: (host, phase) =>
        focus.includes(host) ||
        (phase.hosts === 'one-control-plane' ? phase.actsPerNode === true : mustKnow(host, phase)),
      quarantined,
      focus,
      // The hosts that come back do not serve; the others do, and get to know a new machine when it serves.
      rolls: { served: served.filter((host) => !focus.includes(host)), sizes: rollingSizes(cluster) },
    };
  },
});

/** The hosts of `quarantined` that were asked for, by default all. Throws HOST_NOT_QUARANTINED. */
function chosen(cluster: string, hosts: readonly string[] | undefined, quarantined: readonly string[]): string[] {
  const focus = hosts ?? quarantined;
  const other = focus.find((host) => !quarantined.includes(host));
  if (other !== undefined) {
    throw new KubewrightError('HOST_NOT_QUARANTINED', `host ${other} of ${cluster} is not in quarantine`);
  }
  if (focus.length === 0) throw new KubewrightError('HOST_NOT_QUARANTINED', `no host of ${cluster} is in quarantine`);
  return [...focus];
}
