import { KubewrightError } from '../../contracts/errors.ts';
import { type PlanMaker, planOfPhases, quarantinedOf } from './plan-phases.ts';

/**
 * Every phase of the hosts that come out of quarantine (default: all that are in it), and of the cluster-wide phases only
 * those that speak of single nodes. No other host has a task. Throws HOST_NOT_QUARANTINED.
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
  return planOfPhases(
    input,
    cluster,
    phases,
    (host, phase) => (phase.hosts === 'one-control-plane' ? phase.speaksOfNodes === true : focus.includes(host)),
    { quarantined: all.filter((host) => !focus.includes(host)), focus: [...focus] },
  );
};
