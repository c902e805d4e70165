import type { TaskInput, TaskResult } from '../../contracts/operation.ts';

/** The store's part that keeps what tasks changed. Implemented by the store. */
export interface ChangesStore {
  save(
    task: Pick<TaskInput, 'cluster' | 'operationId' | 'phase' | 'host' | 'round'>,
    found: Pick<TaskResult, 'changes' | 'changeCount'>,
  ): Promise<void>;
}

/**
 * Keep what a task changed, or what a dry run found, so that the API answers it without Temporal's history. An unchanged
 * host costs no write. Throws STORE_FAILED and its kind: a further attempt finds nothing to change, and the answer then
 * takes what the journal has of this one.
 */
export async function keepChanges(
  store: ChangesStore,
  input: TaskInput,
  attempt: number,
  result: TaskResult,
): Promise<void> {
  // What an earlier attempt of a dry run found is not what the host lacks now; what one changed stays changed.
  const replaces = input.mode === 'check' && attempt > 1;
  if (result.changeCount > 0 || replaces) await store.save(input, result);
}
