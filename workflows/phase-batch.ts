import { CancellationScope, getExternalWorkflowHandle, setHandler, workflowInfo } from '@temporalio/workflow';
import type { BatchInput, BatchReport } from '../contracts/batch.ts';
import { BatchRun } from './batch-run.ts';
import { batchCommand, batchReport } from './messages.ts';

/** A slice of a large operation. A child of it that ends with it: only the operation can decide about its tasks. */
export async function phaseBatch(input: BatchInput): Promise<BatchReport> {
  const { parent } = workflowInfo();
  const run = new BatchRun(input, async (report) => {
    if (!parent) return;
    // An operation that is gone takes its batches along.
    await getExternalWorkflowHandle(parent.workflowId)
      .signal(batchReport, report)
      .catch(() => undefined);
  });
  setHandler(batchCommand, (message) => run.command(message));
  CancellationScope.current().cancelRequested.catch(() => run.cancel());
  return await CancellationScope.nonCancellable(() => run.execute());
}
