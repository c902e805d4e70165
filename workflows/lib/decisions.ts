import type { ErrorReport } from '../../contracts/errors.ts';
import { LIMITS } from '../../contracts/limits.ts';
import type { Decision, DecisionRecord, TaskStatus } from '../../contracts/operation.ts';
import type { Plan } from '../../contracts/plan.ts';
import { skipProblem } from './failure-policy.ts';

/** What decisions are judged by. */
export interface DecisionView {
  plan: Pick<Plan, 'quorum'>;
  tasks: readonly TaskStatus[];
  /** Hosts that the operation is without. */
  out: ReadonlySet<string>;
  /** The spec that tasks are given now. */
  specRef: string;
}

/** The hosts that a blocked task waits for a decision about: its own, and those that its error blames. */
const concerned = ({ host, error }: TaskStatus): string[] => [host, ...(error?.blames ?? [])];

/** The blocked tasks that a decision is about, in the order of the plan: of the host, or because of it. */
export function decidedTasks(decision: Pick<Decision, 'host' | 'phase'>, tasks: readonly TaskStatus[]): TaskStatus[] {
  return tasks.filter(
    (task) =>
      task.state === 'blocked' &&
      concerned(task).includes(decision.host) &&
      (decision.phase === undefined || task.phase === decision.phase),
  );
}

/** Hosts that a blocked task waits for a decision about, sorted. */
export function blockedHosts(tasks: readonly TaskStatus[]): string[] {
  return [...new Set(tasks.filter((task) => task.state === 'blocked').flatMap(concerned))].sort();
}

/** Why these decisions cannot be taken together now, or null. Pure. */
export function decisionProblem(items: readonly Decision[], view: DecisionView): ErrorReport | null {
  const out = new Set(view.out);
  const seen = new Set<string>();
  for (const item of items) {
    const { host } = item;
    if (seen.has(host)) return { code: 'CONFLICT', message: `two decisions about host ${host} at once`, host };
    seen.add(host);
    const problem = itemProblem(item, { ...view, out });
    if (problem) return problem;
    if (item.action === 'skip') out.add(host);
  }
  return null;
}

function itemProblem(item: Decision, view: DecisionView): ErrorReport | null {
  const { host, phase, action } = item;
  if (decidedTasks(item, view.tasks).length === 0) {
    const what = phase === undefined ? `host ${host}` : `the phase ${phase} of host ${host}`;
    return { code: 'HOST_NOT_BLOCKED', message: `${what} ${whyNotBlocked(item, view)}`, host };
  }
  if (action === 'skip') return skipProblem(view.plan, host, view.out);
  return correctionProblem(item, view.specRef);
}

/** Why a corrected spec cannot take the present one's place, or null: it was made from another. */
export function correctionProblem(
  { host, specRef, baseSpecRef }: Pick<Decision, 'host' | 'specRef' | 'baseSpecRef'>,
  present: string,
): ErrorReport | null {
  if (specRef === undefined || baseSpecRef === undefined || baseSpecRef === present) return null;
  return { code: 'STALE_VERSION', message: `the spec was corrected in the meantime, and so was host ${host}`, host };
}

function whyNotBlocked({ host, phase }: Decision, { tasks, out }: DecisionView): string {
  if (out.has(host)) return 'is in quarantine';
  const own = tasks.filter((task) => task.host === host && (phase === undefined || task.phase === phase));
  if (own.length === 0) return 'is not part of the operation';
  return phase === undefined ? 'has no blocked task' : `is ${own[0]!.state}`;
}

/** Appends to a log of decisions, which forgets its oldest. */
export function logged(log: readonly DecisionRecord[], record: DecisionRecord): DecisionRecord[] {
  return [...log, record].slice(-LIMITS.decisionsInStatus);
}

/** Of a cancel that no request asked for. */
export const CANCELLED_OUTSIDE: ErrorReport = {
  code: 'ENDED_OUTSIDE',
  message: 'the workflow of the operation was cancelled in Temporal, without a request of this service',
};
