import { expect, it, vi } from 'vitest';
import { keepChanges } from '../../../activities/tasks/task-changes.ts';
import type { TaskInput, TaskResult } from '../../../contracts/operation.ts';

const input = {
  cluster: 'demo',
  operationId: 'op-1',
  phase: 'etcd',
  host: 'cp-1',
  round: 2,
  mode: 'apply',
} as TaskInput;
const result = (changeCount: number): TaskResult => ({
  changes: Array.from({ length: changeCount }, (_, n) => ({ resource: `file:/${n}`, action: 'create', detail: 'new' })),
  ...{ changeCount, restarts: [], commands: 1, durationMs: 1, commandMs: 1 },
});
const saved = async (mode: TaskInput['mode'], attempt: number, changeCount: number) => {
  const save = vi.fn().mockResolvedValue(undefined);
  await keepChanges({ save }, { ...input, mode }, attempt, result(changeCount));
  return save.mock.calls;
};

it('a task keeps what it changed under its operation, phase, host and round', async () => {
  expect(await saved('apply', 1, 2)).toMatchObject([
    [{ cluster: 'demo', operationId: 'op-1', phase: 'etcd', host: 'cp-1', round: 2 }, { changeCount: 2 }],
  ]);
  expect(await saved('check', 1, 1)).toHaveLength(1);
});

it('an unchanged host costs no write', async () => {
  expect(await saved('apply', 1, 0)).toEqual([]);
  expect(await saved('check', 1, 0)).toEqual([]);
});

it('a repeated attempt replaces what a dry run found, and leaves what an apply changed', async () => {
  expect(await saved('check', 2, 0)).toMatchObject([[{}, { changeCount: 0 }]]);
  expect(await saved('apply', 2, 0)).toEqual([]);
});
