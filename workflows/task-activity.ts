import {
  ActivityFailure,
  ApplicationFailure,
  isCancellation,
  scheduleActivity,
  TimeoutFailure,
} from '@temporalio/workflow';
import { type ErrorReport, isErrorCode } from '../contracts/errors.ts';
import { CONTROLLER_HOST, TASK_QUEUES } from '../contracts/messages.ts';
import type { TaskInput, TaskResult } from '../contracts/operation.ts';
import type { Plan, PlanPhase } from '../contracts/plan.ts';

/** How a task ended, all its attempts together. */
export type TaskOutcome =
  | { kind: 'done'; result: TaskResult }
  /** `workerLost`: the last attempt ended because its worker fell silent, which says nothing about the host. */
  | { kind: 'failed'; error: ErrorReport; workerLost: boolean }
  | { kind: 'cancelled' };

/**
 * Run a phase on a host: one activity, named as the phase, on the queue of the workers that reach the host. There is no
 * schedule-to-start timeout: a service that was stopped overnight goes on where it was.
 */
export async function runTaskActivity(
  plan: Plan,
  phase: PlanPhase,
  input: TaskInput,
  activityId: string,
): Promise<TaskOutcome> {
  try {
    const result = await scheduleActivity<TaskResult>(input.phase, [input], {
      activityId,
      taskQueue: TASK_QUEUES.ssh,
      summary: summaryOf(input),
      startToCloseTimeout: phase.startToCloseMs,
      heartbeatTimeout: plan.heartbeatTimeoutMs,
      // It ends when nothing runs on the host any more: `paused` and `cancelled` mean just that.
      cancellationType: 'WAIT_CANCELLATION_COMPLETED',
      retry: {
        maximumAttempts: plan.retry.maximumAttempts,
        initialInterval: plan.retry.initialIntervalMs,
        maximumInterval: plan.retry.maximumIntervalMs,
        backoffCoefficient: plan.retry.backoffCoefficient,
      },
    });
    return { kind: 'done', result };
  } catch (error) {
    if (isCancellation(error)) return { kind: 'cancelled' };
    const report = { ...reportOf(error), host: input.host, phase: input.phase };
    return { kind: 'failed', error: report, workerLost: isWorkerLost(error) };
  }
}

function summaryOf({ phase, host, mode }: TaskInput): string {
  const what = mode === 'check' ? `${phase} check` : phase;
  return host === CONTROLLER_HOST ? what : `${what} on ${host}`;
}

const isWorkerLost = (error: unknown): boolean =>
  error instanceof ActivityFailure && error.cause instanceof TimeoutFailure && error.cause.timeoutType === 'HEARTBEAT';

/** The report that an activity's failure carries, or one made from what Temporal says. */
export function reportOf(error: unknown): ErrorReport {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure) {
    const report = cause.details?.[0] as ErrorReport | undefined;
    if (report && isErrorCode(report.code)) return report;
    return { code: isErrorCode(cause.type) ? cause.type : 'INTERNAL', message: cause.message };
  }
  if (cause instanceof TimeoutFailure) {
    return cause.timeoutType === 'HEARTBEAT'
      ? { code: 'INTERNAL', message: 'the worker that ran the task stopped answering repeatedly' }
      : { code: 'COMMAND_TIMEOUT', message: 'the task did not end within its time' };
  }
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) };
}
