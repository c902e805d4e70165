import { expect, it } from 'vitest';
import type { TaskStatus } from '../../../contracts/status.ts';
import { withTasks } from '../../../ui/src/lib/merge-tasks.ts';

const task = (host: string, state: TaskStatus['state'], attempt = 1): TaskStatus => ({
  ...{ phase: 'prepare', host, state, attempt, decision: 0 },
});
const event = (status: TaskStatus) => ({ ...status, cluster: 'c', operationId: 'o' });

it('puts tasks of events in their places, in the order of the events, and counts the states', () => {
  const before = { tasks: [task('a', 'running'), task('b', 'pending')] };
  const after = withTasks(before, [
    event(task('b', 'running')),
    event(task('a', 'succeeded')),
    event(task('b', 'blocked', 3)),
    event(task('c', 'running')),
  ]);
  expect(after.tasks).toEqual([task('a', 'succeeded'), task('b', 'blocked', 3), task('c', 'running')]);
  expect(after).toMatchObject({ taskCounts: { succeeded: 1, blocked: 1, running: 1 } });
  expect(before.tasks).toEqual([task('a', 'running'), task('b', 'pending')]);
});
