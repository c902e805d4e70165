import type { TaskStatus } from '../../../contracts/status.ts';

/** A task of the event stream. */
export type TaskEvent = TaskStatus & { cluster: string; operationId: string };

/** An operation with the tasks of events, each in its place, in the order of the events; new ones at the end. Pure. */
export function withTasks<Operation extends { tasks: TaskStatus[] }>(
  operation: Operation,
  events: readonly TaskEvent[],
): Operation {
  const tasks = [...operation.tasks];
  const places = new Map(tasks.map(({ phase, host }, place) => [`${phase} ${host}`, place]));
  for (const { cluster: _cluster, operationId: _operation, ...task } of events) {
    const key = `${task.phase} ${task.host}`;
    const place = places.get(key);
    if (place === undefined) places.set(key, tasks.push(task) - 1);
    else tasks[place] = task;
  }
  const taskCounts: Partial<Record<TaskStatus['state'], number>> = {};
  for (const { state } of tasks) taskCounts[state] = (taskCounts[state] ?? 0) + 1;
  return { ...operation, tasks, taskCounts };
}
