import { CancellationScope, getExternalWorkflowHandle, setHandler, workflowInfo } from '@temporalio/workflow';
import type { OperationEvent } from '../contracts/actions.ts';
import type { OperationInput, OperationResult } from '../contracts/operation.ts';
import * as messages from './messages.ts';
import { OperationRun } from './operation-run.ts';

/** One run on a cluster. A child of the entity, but it outlives it: nothing of the run depends on the parent. */
export async function operation(input: OperationInput): Promise<OperationResult> {
  const { parent } = workflowInfo();
  let events = 0;
  const run = new OperationRun(input, async (event: OperationEvent) => {
    if (!parent) return;
    events += 1;
    // The entity may be gone; its view of us is a convenience.
    await getExternalWorkflowHandle(parent.workflowId)
      .signal(messages.operationEvent, { ...event, n: events })
      .catch(() => undefined);
  });
  setHandler(messages.operationStatus, () => run.status());
  setHandler(messages.cancel, (request) => run.cancel(request));
  setHandler(messages.pause, (request) => run.pause(request), { validator: (request) => run.checkPause(request) });
  setHandler(messages.resume, (request) => run.resume(request), { validator: (request) => run.checkResume(request) });
  setHandler(messages.decide, (request) => run.decide(request), { validator: (request) => run.checkDecide(request) });
  setHandler(messages.amend, (request) => run.amend(request), { validator: (request) => run.checkAmend(request) });
  setHandler(messages.batchReport, (report) => run.batchReport(report));
  // Temporal's own cancel ends cleanly as well, with the result written; the result says that no request asked for it.
  CancellationScope.current().cancelRequested.catch(() => run.cancel());
  return await CancellationScope.nonCancellable(() => run.execute());
}
