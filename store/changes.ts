import type { OperationState, OperationStatus, TaskStatus } from '../contracts/operation.ts';
import type { ClusterStateName, ClusterStates } from '../contracts/operation-traits.ts';

/** States that an operation never leaves. */
export const FINAL_STATES: ReadonlySet<OperationState> = new Set(['succeeded', 'failed', 'cancelled', 'lost']);

/** States in which an operation has begun and takes commands. */
export const ACTIVE_STATES: readonly OperationState[] = ['planning', 'running', 'pausing', 'paused', 'blocked'];

/**
 * States of a cluster: what its latest changing operation says. `degraded`: it works, but hosts are in quarantine; the API
 * says it as well of one that is `ready` and whose health is degraded.
 */
export const CLUSTER_STATES = [
  'building',
  'pausing',
  'paused',
  'blocked',
  'ready',
  'degraded',
  'failed',
  'incomplete',
  'removing',
  'removed',
] as const satisfies readonly ClusterStateName[];
export type ClusterState = ClusterStateName;

/** The state of a cluster while an operation in mode `apply` runs, or after one that did not succeed. Pure. */
export function unfinishedState(
  state: Exclude<OperationState, 'succeeded'>,
  { running, failed, stopped }: ClusterStates,
): ClusterState {
  switch (state) {
    case 'cancelled':
    case 'lost':
      return stopped;
    case 'failed':
      return failed;
    case 'blocked':
    case 'pausing':
    case 'paused':
      return state;
    default:
      return running;
  }
}

/** A step in the life of an operation, as followers of a cluster see it. */
export type StatusEvent =
  | { type: 'operation'; data: StatusHead }
  | { type: 'task'; data: TaskStatus & { operationId: string } };

/** An operation without its tasks. */
export type StatusHead = Omit<OperationStatus, 'tasks'>;

/** Events for followers: changed tasks first, then the operation itself when more than its tasks changed. Pure. */
export function statusEvents(
  tasks: readonly TaskChange[],
  operationId: string,
  head: { before: StatusHead | null; after: StatusHead } | null,
): StatusEvent[] {
  const events: StatusEvent[] = tasks
    // The plan shows that a task waits; a thousand pending tasks are no change.
    .filter(({ known, task }) => known || task.state !== 'pending')
    .map(({ task }) => ({ type: 'task', data: { ...task, operationId } }));
  if (head === null || (head.before !== null && JSON.stringify(head.before) === JSON.stringify(head.after)))
    return events;
  return [...events, { type: 'operation', data: head.after }];
}

/** A task that differs from what is stored. */
export interface TaskChange {
  task: TaskStatus;
  /** False for a task that was not stored yet. */
  known: boolean;
}
