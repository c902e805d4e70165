import type { Decision, TaskStatus } from '../../contracts/operation.ts';

/** The blocked tasks that a decision speaks of, in the order of the plan. */
export function decidedTasks(decision: Pick<Decision, 'host' | 'phase'>, tasks: readonly TaskStatus[]): TaskStatus[] {
  return tasks.filter(
    (task) =>
      task.state === 'blocked' &&
      task.host === decision.host &&
      (decision.phase === undefined || task.phase === decision.phase),
  );
}

/** Hosts with a blocked task, sorted. */
export function blockedHosts(tasks: readonly TaskStatus[]): string[] {
  return [...new Set(tasks.filter((task) => task.state === 'blocked').map((task) => task.host))].sort();
}
