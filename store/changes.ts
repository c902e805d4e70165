import type { OperationState, OperationStatus, TaskStatus } from '../contracts/operation.ts';

/** States that an operation never leaves. */
export const FINAL_STATES: ReadonlySet<OperationState> = new Set(['succeeded', 'failed', 'cancelled']);

/** States of a cluster: what its latest building operation says. */
export const CLUSTER_STATES = ['building', 'pausing', 'paused', 'blocked', 'ready', 'failed', 'incomplete'] as const;
export type ClusterState = (typeof CLUSTER_STATES)[number];

/** The state of a cluster while, or after, an operation in mode `apply`. */
export function clusterStateOf(state: OperationState): ClusterState {
  switch (state) {
    case 'succeeded':
      return 'ready';
    case 'cancelled':
      return 'incomplete';
    case 'failed':
    case 'blocked':
    case 'pausing':
    case 'paused':
      return state;
    default:
      return 'building';
  }
}

/** A step in the life of an operation, as followers of a cluster see it. */
export type StatusEvent =
  | { type: 'operation'; data: Omit<OperationStatus, 'tasks'> }
  | { type: 'task'; data: TaskStatus & { operationId: string } };

/** What is new in `after`: changed tasks first, then the operation itself when more than its tasks changed. Pure. */
export function statusEvents(before: OperationStatus | null, after: OperationStatus): StatusEvent[] {
  const key = (task: TaskStatus) => `${task.phase}\0${task.host}`;
  const known = new Map((before?.tasks ?? []).map((task) => [key(task), JSON.stringify(task)]));
  const tasks: StatusEvent[] = after.tasks
    // That a task waits is said by the plan; a thousand pending tasks are no news.
    .filter((task) => !(task.state === 'pending' && !known.has(key(task))))
    .filter((task) => known.get(key(task)) !== JSON.stringify(task))
    .map((task) => ({ type: 'task', data: { ...task, operationId: after.operationId } }));
  const { tasks: _after, ...head } = after;
  const { tasks: _before, ...headBefore } = before ?? { tasks: [] };
  const same = before !== null && JSON.stringify(head) === JSON.stringify(headBefore);
  return same ? tasks : [...tasks, { type: 'operation', data: head }];
}
