import { traitsOf } from '../../contracts/earlier-kinds.ts';
import type { ErrorReport } from '../../contracts/errors.ts';
import { CONTROLLER_HOST } from '../../contracts/messages.ts';
import type { OperationInput, QuarantinedHost } from '../../contracts/operation.ts';
import type { Plan } from '../../contracts/plan.ts';
import { quorumProblem } from '../../contracts/quorum.ts';

/** What the cluster's policy does with a host that failed for good. `why` says what kept it from acting. */
export type PolicyAnswer = { act: 'wait'; why?: string } | { act: 'quarantine' } | { act: 'abort' };

/** Why the operation cannot go on without the host, or null. `out`: the hosts that it is without already. Pure. */
export function skipProblem(plan: Pick<Plan, 'quorum'>, host: string, out: ReadonlySet<string>): ErrorReport | null {
  if (host === CONTROLLER_HOST) {
    return { code: 'CONFLICT', message: 'the task runs in the worker process: there is no host to exclude', host };
  }
  const problem = quorumProblem(plan.quorum, new Set([...out, host]));
  return problem && { ...problem, host };
}

/** The policy's word on a blocked host. A check waits: it would only hide what it was to find. Pure. */
export function policyAnswer(
  plan: Pick<Plan, 'mode' | 'policy' | 'quorum'>,
  host: string,
  out: ReadonlySet<string>,
): PolicyAnswer {
  const { onHostFailure, maxQuarantined } = plan.policy;
  if (plan.mode === 'check' || onHostFailure === 'wait') return { act: 'wait' };
  if (onHostFailure === 'abort') return { act: 'abort' };
  const count = new Set([...out, host]).size;
  if (count > maxQuarantined) {
    const why = `${count} hosts would be in quarantine, and the policy allows ${maxQuarantined}`;
    return { act: 'wait', why };
  }
  const problem = skipProblem(plan, host, out);
  return problem ? { act: 'wait', why: problem.message } : { act: 'quarantine' };
}

/** Removed hosts leave the quarantine list. */
export function dropRemovedHosts(plan: Plan, quarantine: Map<string, unknown>): void {
  const known = new Set([...plan.quarantined, ...plan.phases.flatMap(({ hosts }) => hosts)]);
  for (const host of quarantine.keys()) if (!known.has(host)) quarantine.delete(host);
}

/**
 * After the last task: hosts that took part in all phases of an operation that brings hosts to their desired state, and were
 * not left out again, are in; hosts that were removed are in no list. Changes `quarantine`.
 */
export function dropBackOrGone(
  quarantine: Map<string, QuarantinedHost>,
  input: OperationInput,
  plan: Pick<Plan, 'quarantined'>,
  isExcluded: (host: string) => boolean,
): void {
  const { effect } = traitsOf(input);
  const removed = effect === 'removes' ? (input.hosts ?? [...quarantine.keys()]) : [];
  const whole = (effect === 'builds' || effect === 'repairs') && input.phases === undefined;
  for (const host of quarantine.keys()) {
    const back = whole && !plan.quarantined.includes(host) && !isExcluded(host);
    if (back || removed.includes(host)) quarantine.delete(host);
  }
}
