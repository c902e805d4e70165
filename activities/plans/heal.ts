import { hostsWithRole } from '../../contracts/cluster.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import type { Phase } from '../phases/phase.ts';
import { type PlanMaker, planOfPhases, quarantinedOf } from './plan-phases.ts';

/**
 * Every phase of the hosts that come out of quarantine (default: all that are in it), and of the cluster-wide phases only
 * those that speak of single nodes. No other host has a task, but for those that would not let a new machine in. Throws HOST_NOT_QUARANTINED.
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
  const admitting = (host: string, { admits }: Phase) =>
    input.replaced !== undefined &&
    admits !== undefined &&
    hostsWithRole(cluster, admits).some(({ name }) => name === host);
  return planOfPhases(
    input,
    cluster,
    phases,
    (host, phase) =>
      phase.hosts === 'one-control-plane'
        ? phase.speaksOfNodes === true
        : focus.includes(host) || admitting(host, phase),
    { quarantined: all.filter((host) => !focus.includes(host)), focus: [...focus] },
  );
};
