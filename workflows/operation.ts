import { CancellationScope, getExternalWorkflowHandle, setHandler, workflowInfo } from '@temporalio/workflow';
import type { OperationEvent } from '../contracts/commands.ts';
import type { OperationInput, OperationResult } from '../contracts/operation.ts';
import { command, operationEvent, operationStatus } from './messages.ts';
import { OperationRun } from './operation-run.ts';

/** One run on a cluster. A child of the entity, but it outlives it: nothing of the run depends on the parent. */
export async function operation(input: OperationInput): Promise<OperationResult> {
  const { parent } = workflowInfo();
  const run = new OperationRun(input, async (event: OperationEvent) => {
    if (!parent) return;
    // The entity may be gone; its view of us is a convenience.
    await getExternalWorkflowHandle(parent.workflowId)
      .signal(operationEvent, event)
      .catch(() => undefined);
  });
  setHandler(operationStatus, () => run.status());
  setHandler(command, (message) => run.command(message));
  // Temporal's own cancel means the same as ours: end cleanly, with the result written.
  CancellationScope.current().cancelRequested.catch(() => run.cancel());
  return await CancellationScope.nonCancellable(() => run.execute());
}
