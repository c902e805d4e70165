import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { CloseInput } from '../contracts/commands.ts';
import { TASK_QUEUES } from '../contracts/messages.ts';
import type { OperationInput, OperationStatus } from '../contracts/operation.ts';
import type { Plan } from '../contracts/plan.ts';

/** The control activities, as workflows call them. */
export interface ControlActivities {
  makePlan(input: OperationInput): Promise<Plan>;
  projectStatus(status: OperationStatus): Promise<void>;
  closeOperation(input: CloseInput): Promise<void>;
}

const onControlQueue = { taskQueue: TASK_QUEUES.control, startToCloseTimeout: '30s' } as const;

/** Bounded: a spec that cannot be planned is told at once, a store that is away gets a minute. */
export const { makePlan } = proxyActivities<ControlActivities>({
  ...onControlQueue,
  retry: { maximumAttempts: 8, initialInterval: '500ms', maximumInterval: '15s' },
  summary: 'resolve the plan',
});

/** Our own database comes back: an operation does not end before its end is written. */
export const { closeOperation, projectStatus: projectStatusDurably } = proxyActivities<ControlActivities>({
  ...onControlQueue,
  retry: { initialInterval: '500ms', maximumInterval: '30s' },
});

/**
 * The same write without a trip through the server: one marker event, and the status does not end up in history. One
 * attempt only, because a local activity holds back the commands of its workflow task.
 */
const { projectStatus: projectLocally } = proxyLocalActivities<ControlActivities>({
  startToCloseTimeout: '2s',
  scheduleToCloseTimeout: '2s',
  retry: { maximumAttempts: 1 },
});

/** Write a status to the store: at once, or durably when the store does not take it now. */
export async function writeStatus(status: OperationStatus): Promise<void> {
  try {
    await projectLocally(status);
  } catch {
    await projectStatusDurably(status);
  }
}
