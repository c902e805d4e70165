import { continueAsNew, setHandler } from '@temporalio/workflow';
import type { ClusterInput } from '../contracts/actions.ts';
import { ClusterEntity } from './cluster-entity.ts';
import * as messages from './messages.ts';

/** The owner of one cluster: takes requests, runs one operation at a time. Lives as long as the cluster. */
export async function cluster(input: ClusterInput): Promise<void> {
  const entity = new ClusterEntity(input);
  setHandler(messages.clusterStatus, () => entity.status());
  setHandler(messages.operationEvent, (event) => entity.recordEvent(event));
  setHandler(messages.submitOperation, (request) => entity.submit(request), {
    validator: (request) => entity.checkSubmit(request),
  });
  setHandler(messages.cancelOperation, (request) => entity.cancel(request), {
    validator: (request) => entity.checkCancel(request),
  });
  const state = await entity.run();
  await continueAsNew<typeof cluster>({ cluster: input.cluster, state });
}
