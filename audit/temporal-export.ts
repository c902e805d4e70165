import type { Client } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { openMessage } from '../codec/open-messages.ts';
import { KubewrightError } from '../contracts/errors.ts';
import { historyJson } from './history-json.ts';
import type { WorkflowHistory } from './make-bundle.ts';

type Event = temporal.api.history.v1.IHistoryEvent;

/** A run that is longer was ended by the server: limit.historyCount.error is 51,200. */
const EVENTS = 60_000;
/** Runs of one operation: its own, one per continuation, one per batch of hosts. */
const RUNS = 1_000;

/**
 * The histories of a workflow, of what it continued as, and of its children, opened by the codec and as proto-JSON.
 * Throws CONFLICT while one of them still runs, NOT_FOUND when Temporal no longer has it.
 */
export async function* exportHistories(
  client: Client,
  namespace: string,
  workflowId: string,
): AsyncGenerator<WorkflowHistory> {
  const waiting: { workflowId: string; runId?: string }[] = [{ workflowId }];
  const seen = new Set<string>();
  for (let next = waiting.shift(); next !== undefined && seen.size < RUNS; next = waiting.shift()) {
    let events = await read(client, namespace, next);
    const started = events[0]?.workflowExecutionStartedEventAttributes;
    const first = started?.firstExecutionRunId ?? '';
    const runId = started?.originalExecutionRunId ?? '';
    // Asked without a run we get the latest one: the story begins with the first.
    if (next.runId === undefined && first !== '' && first !== runId) {
      events = await read(client, namespace, { workflowId: next.workflowId, runId: first });
    }
    const own = next.runId ?? (first || runId);
    if (seen.has(`${next.workflowId}\0${own}`)) continue;
    seen.add(`${next.workflowId}\0${own}`);
    const last = events.at(-1);
    if (!last || !isEnd(last)) {
      throw new KubewrightError('CONFLICT', `the workflow ${next.workflowId} has not ended yet`);
    }
    const continued = last.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
    if (continued) waiting.push({ workflowId: next.workflowId, runId: continued });
    for (const event of events) {
      const child = event.childWorkflowExecutionStartedEventAttributes?.workflowExecution;
      if (child?.workflowId)
        waiting.push({ workflowId: child.workflowId, ...(child.runId ? { runId: child.runId } : {}) });
    }
    yield { workflowId: next.workflowId, runId: own, json: JSON.stringify(historyJson({ events })) };
  }
}

async function read(
  client: Client,
  namespace: string,
  execution: { workflowId: string; runId?: string },
): Promise<Event[]> {
  const decode: PayloadCodec['decode'] = async (payloads) => {
    let opened = payloads;
    for (const codec of client.options.loadedDataConverter.payloadCodecs.toReversed())
      opened = await codec.decode(opened);
    return opened;
  };
  const events: Event[] = [];
  let nextPageToken: Uint8Array | null = null;
  do {
    const page: temporal.api.workflowservice.v1.IGetWorkflowExecutionHistoryResponse =
      await client.workflowService.getWorkflowExecutionHistory({
        namespace,
        execution,
        ...(nextPageToken === null ? {} : { nextPageToken }),
      });
    events.push(...(await openMessage(page.history?.events ?? [], { decode })));
    nextPageToken = page.nextPageToken && page.nextPageToken.length > 0 ? page.nextPageToken : null;
  } while (nextPageToken !== null && events.length < EVENTS);
  return events;
}

function isEnd(event: Event): boolean {
  return Boolean(
    event.workflowExecutionCompletedEventAttributes ??
      event.workflowExecutionFailedEventAttributes ??
      event.workflowExecutionCanceledEventAttributes ??
      event.workflowExecutionTerminatedEventAttributes ??
      event.workflowExecutionTimedOutEventAttributes ??
      event.workflowExecutionContinuedAsNewEventAttributes,
  );
}
