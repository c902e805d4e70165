import type { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { expect, it } from 'vitest';
import { readOperationHistory } from '../../../api/temporal-history.ts';

const payload = (value: unknown) => ({ payloads: [defaultPayloadConverter.toPayload(value)] });
const eventTime = { seconds: 1_795_265_288, nanos: 347_000_000 };
const result = { changes: [{ resource: 'file:/x', action: 'create', detail: 'new' }], changeCount: 1 };

const events = [
  { workflowExecutionStartedEventAttributes: {} },
  {
    userMetadata: { summary: defaultPayloadConverter.toPayload('etcd on cp-1') },
    activityTaskScheduledEventAttributes: {
      activityId: 'etcd:cp-1:0',
      activityType: { name: 'etcd' },
      input: payload({ phase: 'etcd', host: 'cp-1' }),
    },
  },
  {
    activityTaskStartedEventAttributes: {
      scheduledEventId: 2,
      attempt: 3,
      lastFailure: { message: 'etcd does not answer' },
    },
  },
  { activityTaskCompletedEventAttributes: { scheduledEventId: 2, result: payload(result) } },
].map((event, index) => ({ eventId: index + 1, eventTime, ...event }));

/** A client whose server gives two events a page; with a codec that would show if it were left out. */
function fakeClient(pages: object[][]): Client {
  return {
    options: { loadedDataConverter: { payloadCodecs: [], payloadConverter: defaultPayloadConverter } },
    workflowService: {
      getWorkflowExecutionHistory: ({ nextPageToken }: { nextPageToken?: Uint8Array }) => {
        const at = nextPageToken?.[0] ?? 0;
        const more = at + 1 < pages.length;
        return Promise.resolve({
          history: { events: pages[at] },
          nextPageToken: more ? Uint8Array.of(at + 1) : new Uint8Array(),
        });
      },
    },
  } as unknown as Client;
}

it('joins the events of an activity over pages', async () => {
  const history = await readOperationHistory(fakeClient([events.slice(0, 2), events.slice(2)]), 'kube', 'w');
  const same = { activityId: 'etcd:cp-1:0', phase: 'etcd', host: 'cp-1' };
  const time = new Date(1_795_265_288_347).toISOString();
  expect(history.events).toEqual([
    { id: '1', time, type: 'WorkflowExecutionStarted' },
    { id: '2', time, type: 'ActivityTaskScheduled', summary: 'etcd on cp-1', ...same },
    { id: '3', time, type: 'ActivityTaskStarted', attempt: 3, error: 'etcd does not answer', ...same },
    { id: '4', time, type: 'ActivityTaskCompleted', ...same },
  ]);
});

it('reads on in the batches of a large operation', async () => {
  const batch = 'cluster/c/op/x/batch/0';
  const started = {
    eventId: 1,
    eventTime,
    childWorkflowExecutionStartedEventAttributes: {
      workflowType: { name: 'phaseBatch' },
      workflowExecution: { workflowId: batch },
    },
  };
  const client = fakeClient([]);
  client.workflowService.getWorkflowExecutionHistory = ((asked: { execution: { workflowId: string } }) =>
    Promise.resolve({
      history: { events: asked.execution.workflowId === batch ? events : [started] },
    })) as unknown as typeof client.workflowService.getWorkflowExecutionHistory;
  const history = await readOperationHistory(client, 'kube', 'w');
  expect(history.events.map(({ id }) => id)).toEqual(['1', 'b0.1', 'b0.2', 'b0.3', 'b0.4']);
});

it('an empty history is NOT_FOUND', async () => {
  await expect(readOperationHistory(fakeClient([[]]), 'kube', 'w')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
