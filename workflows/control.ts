import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { CloseInput, CloseResult, HostRef, TakeCommand, TakenCommand, TasksInput } from '../contracts/actions.ts';
import { TASK_QUEUES } from '../contracts/messages.ts';
import type { OperationInput, OperationStatus, TaskStatus } from '../contracts/operation.ts';
import type { Plan } from '../contracts/plan.ts';

/** The control activities, as workflows call them. */
export interface ControlActivities {
  makePlan(input: OperationInput): Promise<Plan>;
  projectStatus(status: OperationStatus): Promise<void>;
  projectTasks(input: TasksInput): Promise<void>;
  closeOperation(input: CloseInput): Promise<CloseResult>;
  forgetHost(input: HostRef): Promise<void>;
  takeCommand(input: TakeCommand): Promise<TakenCommand>;
}

/** Tasks in one write: some 200 KiB, below what Temporal warns of should the write have to go through it. */
const TASKS_PER_WRITE = 1_000;

const onControlQueue = { taskQueue: TASK_QUEUES.control, startToCloseTimeout: '30s' } as const;

/** Bounded: a spec that cannot be planned fails at once, an unreachable store gets a minute. */
export const { makePlan } = proxyActivities<ControlActivities>({
  ...onControlQueue,
  retry: { maximumAttempts: 8, initialInterval: '500ms', maximumInterval: '15s' },
  summary: 'resolve the plan',
});

/** Our own database comes back: an operation does not end before its end is written, nor go on with a wrong key. */
export const { closeOperation, forgetHost, ...durably } = proxyActivities<ControlActivities>({
  ...onControlQueue,
  retry: { initialInterval: '500ms', maximumInterval: '30s' },
});

/**
 * The same writes without a trip through the server: one marker event, and the status does not end up in history. One
 * attempt only, because a local activity holds back the commands of its workflow task.
 */
const locally = proxyLocalActivities<Pick<ControlActivities, 'projectStatus' | 'projectTasks' | 'takeCommand'>>({
  startToCloseTimeout: '2s',
  scheduleToCloseTimeout: '2s',
  retry: { maximumAttempts: 1 },
});

/** Write a status to the store: at once, or durably when the store does not take it now. Its tasks are those that changed. */
export async function writeStatus(status: OperationStatus): Promise<void> {
  const { cluster, operationId, tasks } = status;
  const first = { ...status, tasks: tasks.slice(0, TASKS_PER_WRITE) };
  await locally.projectStatus(first).catch(() => durably.projectStatus(first));
  await writeTasks(cluster, operationId, tasks.slice(TASKS_PER_WRITE));
}

/** Take a command, once in the life of the cluster: at once, or when the store is back. */
export async function takeCommand(input: TakeCommand): Promise<TakenCommand> {
  return await locally.takeCommand(input).catch(() => durably.takeCommand(input));
}

/** Write changed tasks to the store, in the same way. */
export async function writeTasks(cluster: string, operationId: string, tasks: readonly TaskStatus[]): Promise<void> {
  for (let from = 0; from < tasks.length; from += TASKS_PER_WRITE) {
    const input = { cluster, operationId, tasks: tasks.slice(from, from + TASKS_PER_WRITE) };
    await locally.projectTasks(input).catch(() => durably.projectTasks(input));
  }
}
