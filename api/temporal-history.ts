import type { Client } from '@temporalio/client';
import type { Payload, PayloadCodec } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { openMessage } from '../codec/open-messages.ts';
import { keepEnds } from '../contracts/cut.ts';
import { KubewrightError } from '../contracts/errors.ts';
import { WORKFLOWS } from '../contracts/messages.ts';
import type { TaskInput } from '../contracts/operation.ts';
import { withoutStamp } from '../contracts/provenance.ts';
import type { OperationHistory, WorkflowEvent } from './temporal-gateway.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;
type Read = (payload: Payload | null | undefined) => unknown;

/** A run that is longer was ended by the server: limit.historyCount.error is 51,200. */
const EVENTS = 60_000;
/** Of one text of an event, such as a summary: ours are short. */
const TEXT_CHARS = 2_000;

/**
 * The history of an operation, as events in words. Those of its batches follow in the order of their starts, their event ids marked with the batch's: `b0.12`.
 */
export async function readOperationHistory(
  client: Client,
  namespace: string,
  workflowId: string,
): Promise<OperationHistory> {
  const { history, batches } = await readHistory(client, namespace, workflowId, '', EVENTS);
  if (history.events.length === 0) throw new KubewrightError('NOT_FOUND', `there is no history of ${workflowId}`);
  for (const batch of batches) {
    const prefix = `b${batch.slice(batch.lastIndexOf('/') + 1)}.`;
    const more = await readHistory(client, namespace, batch, prefix, EVENTS - history.events.length);
    history.events.push(...more.history.events);
  }
  return history;
}

/** At most `limit` events of one workflow, and a few more: pages are whole. */
async function readHistory(
  client: Client,
  namespace: string,
  workflowId: string,
  prefix: string,
  limit: number,
): Promise<HistoryReader> {
  const { payloadCodecs, payloadConverter } = client.options.loadedDataConverter;
  const reader = new HistoryReader(
    (payload) => withoutStamp(payload ? payloadConverter.fromPayload(payload) : undefined),
    prefix,
  );
  let nextPageToken: Uint8Array | null = null;
  do {
    const page: temporal.api.workflowservice.v1.IGetWorkflowExecutionHistoryResponse =
      await client.workflowService.getWorkflowExecutionHistory({
        namespace,
        execution: { workflowId },
        ...(nextPageToken === null ? {} : { nextPageToken }),
      });
    // As they are stored: sealed.
    const events = await openMessage(page.history?.events ?? [], { decode: throughAll(payloadCodecs) });
    for (const event of events) reader.add(event);
    nextPageToken = page.nextPageToken && page.nextPageToken.length > 0 ? page.nextPageToken : null;
  } while (nextPageToken !== null && reader.history.events.length < limit);
  return reader;
}

/** What went through the codecs comes back through them, the last one first. */
function throughAll(codecs: readonly PayloadCodec[]): PayloadCodec['decode'] {
  return async (payloads) => {
    let read = payloads;
    for (const codec of codecs.toReversed()) read = await codec.decode(read);
    return read;
  };
}

interface Scheduled {
  activityId: string;
  phase?: string | undefined;
  host?: string | undefined;
}

/** Puts the events of an activity together: only the first of them says what it is. */
class HistoryReader {
  readonly history: OperationHistory = { events: [] };
  /** Workflow ids of the batches that were started. */
  readonly batches: string[] = [];
  readonly #read: Read;
  readonly #prefix: string;
  readonly #scheduled = new Map<string, Scheduled>();

  constructor(read: Read, prefix: string) {
    this.#read = read;
    this.#prefix = prefix;
  }

  add(event: HistoryEvent): void {
    const id = String(event.eventId);
    const summary = this.#read(event.userMetadata?.summary);
    const seen: WorkflowEvent = {
      id: `${this.#prefix}${id}`,
      time: timeOf(event),
      type: typeOf(event),
      ...(typeof summary === 'string' ? { summary: summary.slice(0, TEXT_CHARS) } : {}),
    };
    const started = event.activityTaskScheduledEventAttributes;
    if (started) this.#scheduled.set(id, this.#describe(started));
    const ended =
      event.activityTaskStartedEventAttributes ??
      event.activityTaskCompletedEventAttributes ??
      event.activityTaskFailedEventAttributes ??
      event.activityTaskTimedOutEventAttributes ??
      event.activityTaskCanceledEventAttributes ??
      event.activityTaskCancelRequestedEventAttributes;
    const of = this.#scheduled.get(started ? id : String(ended?.scheduledEventId));
    if (of) Object.assign(seen, { activityId: of.activityId, phase: of.phase, host: of.host });
    const attempt = event.activityTaskStartedEventAttributes?.attempt;
    if (attempt !== undefined && attempt !== null) seen.attempt = attempt;
    const failure =
      event.activityTaskFailedEventAttributes?.failure ??
      event.activityTaskTimedOutEventAttributes?.failure ??
      event.activityTaskStartedEventAttributes?.lastFailure ??
      event.workflowExecutionFailedEventAttributes?.failure;
    if (failure) seen.error = keepEnds(failure.message || failure.cause?.message || 'failed', 2000);
    this.history.events.push(seen);
    const child = event.childWorkflowExecutionStartedEventAttributes;
    if (child?.workflowType?.name === WORKFLOWS.phaseBatch)
      this.batches.push(child.workflowExecution?.workflowId ?? '');
  }

  #describe(attributes: NonNullable<HistoryEvent['activityTaskScheduledEventAttributes']>): Scheduled {
    const activityId = attributes.activityId ?? '';
    const input = this.#read(attributes.input?.payloads?.[0]) as Partial<TaskInput> | undefined;
    return { activityId, phase: input?.phase, host: input?.host };
  }
}

/** `activityTaskScheduledEventAttributes` as `ActivityTaskScheduled`. */
function typeOf(event: HistoryEvent): string {
  const key = Object.keys(event).find((name) => name.endsWith('EventAttributes') && event[name as keyof HistoryEvent]);
  const name = (key ?? 'unknown').replace(/EventAttributes$/, '');
  return name[0]!.toUpperCase() + name.slice(1);
}

function timeOf(event: HistoryEvent): string {
  const seconds = Number(event.eventTime?.seconds ?? 0);
  return new Date(seconds * 1000 + Math.floor((event.eventTime?.nanos ?? 0) / 1e6)).toISOString();
}
