import { hostsWithRole } from '../../contracts/cluster.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import type { Role } from '../../contracts/host.ts';
import type { Phase } from '../phases/phase.ts';
import { type PlanMaker, planOfPhases, quarantinedOf } from './plan-phases.ts';

/**
 * Every phase of the hosts that come out of quarantine (default: all that are in it), and of the cluster-wide phases on
 * another host only those that act per node. No other host has a task, but for those that would not let a new
 * machine in or not find it. Throws HOST_NOT_QUARANTINED.
 */
export const makeHealPlan: PlanMaker = (input, cluster, phases) => {
  const all = quarantinedOf(input, cluster);
  const focus = input.hosts ?? all;
  const stranger = focus.find((host) => !all.includes(host));
  if (stranger !== undefined) {
    throw new KubewrightError('HOST_NOT_QUARANTINED', `host ${stranger} of ${input.cluster} is not in quarantine`);
  }
  if (focus.length === 0) {
    throw new KubewrightError('HOST_NOT_QUARANTINED', `no host of ${input.cluster} is in quarantine`);
  }
  const quarantined = all.filter((host) => !focus.includes(host));
  const has = (host: string, role: Role) => hostsWithRole(cluster, role).some(({ name }) => name === host);
  /** It would not let a new machine in, or not find it. */
  const mustKnow = (host: string, { allowlistsPeers, dependsOnAddressesOf = [] }: Phase) =>
    input.replaced !== undefined &&
    !quarantined.includes(host) &&
    ((allowlistsPeers !== undefined && has(host, allowlistsPeers)) ||
      dependsOnAddressesOf.some((role) => input.replaced!.some((name) => has(name, role))));
  const wanted = (host: string, phase: Phase) =>
    focus.includes(host) || (phase.hosts === 'one-control-plane' ? phase.actsPerNode === true : mustKnow(host, phase));
  return planOfPhases(input, cluster, phases, wanted, { quarantined, focus: [...focus] });
};
