import { LIMITS } from '../../../contracts/limits.ts';
import { type Answer, ask, path, read } from './api.ts';
import type { OperationDetail, TaskPage } from './models.ts';

/** An operation with its plan and all of its tasks, page by page: 1,000 hosts have some 20,000. Throws ApiError. */
export async function readOperation(
  cluster: string,
  id: string,
  signal: AbortSignal,
): Promise<Answer<OperationDetail>> {
  const { body, etag } = await ask<OperationDetail>(`${path`/clusters/${cluster}/operations/${id}`}?plan=true`, {
    signal,
  });
  const tasks = [...body.tasks];
  for (let cursor = body.tasksNext; cursor !== null; ) {
    const page: TaskPage = await read(
      `${path`/clusters/${cluster}/operations/${id}/tasks`}?${new URLSearchParams({ limit: String(LIMITS.pageSize), cursor })}`,
      signal,
    );
    tasks.push(...page.items);
    cursor = page.next;
  }
  return { body: { ...body, tasks, tasksNext: null }, etag };
}
