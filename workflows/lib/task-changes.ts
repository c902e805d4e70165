import type { TaskStatus } from '../../contracts/operation.ts';

/** Remembers the last report of each task, so that only changes are reported. */
export class TaskChanges {
  private readonly lastReported = new Map<string, string>();

  /** Those of the tasks that differ from what was last taken; they count as reported from here on. */
  collect(tasks: readonly TaskStatus[]): TaskStatus[] {
    return tasks.filter((task) => {
      const key = `${task.phase}:${task.host}`;
      const text = JSON.stringify(task);
      if (this.lastReported.get(key) === text) return false;
      this.lastReported.set(key, text);
      return true;
    });
  }
}
