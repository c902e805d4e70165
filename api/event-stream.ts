import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { KubewrightError } from '../contracts/errors.ts';
import type { EventFilter } from '../store/events.ts';
import type { ApiDeps } from './deps.ts';
import { changeOf } from './dry-run.ts';
import type { Api } from './plugins/validation.ts';

/** The id of an event (store/events.ts), or nothing for the beginning. */
const EVENT_ID = /^[0-9A-Z]{0,32}$/;
/** Events sent in one go. */
const BATCH = 200;
/** How long we wait for a change made by another process, ms. */
const POLL_MS = 1_000;

/** Where a stream begins. */
export const afterQuery = {
  after: z
    .string()
    .regex(EVENT_ID, 'must be the id of an event')
    .optional()
    .describe('Id of an event to continue behind; empty: from the beginning; absent: from now'),
};

/**
 * Sends the events of the filter until the client goes or its token ends, first `ready` with the place to resume from. A client
 * that continues behind an event that is gone, or that a restored database never had, first gets `missed`: what it knows is to be read
 * again. Throws BAD_REQUEST for a Last-Event-ID that is no id, RATE_LIMITED.
 */
export async function sendEvents(
  { api, deps, request, reply }: { api: Api; deps: ApiDeps; request: FastifyRequest; reply: FastifyReply },
  filter: EventFilter,
  { after, ready }: { after: string | undefined; ready: object },
): Promise<void> {
  const { events } = deps.store;
  const { sse } = reply;
  const resumed = sse.lastEventId ?? after;
  if (resumed !== undefined && !EVENT_ID.test(resumed)) {
    throw new KubewrightError('BAD_REQUEST', 'headers.last-event-id must be the id of an event');
  }
  const signal = api.openStream(request, reply);
  const open = () => sse.isConnected && !signal.aborted;
  const newest = await events.last();
  let last = resumed ?? newest;
  const unknown = last > newest;
  if (last !== '' && (unknown || last < (await events.removedTo()))) {
    if (unknown) last = newest;
    await sse.send({ event: 'missed', data: { after: resumed }, ...(last === '' ? {} : { id: last }) });
  }
  // What a proxy would hold back otherwise, and the place to resume from.
  await sse.send({ event: 'ready', data: ready, ...(last === '' ? {} : { id: last }) });
  const alone = filter.clusters?.length === 1 ? filter.clusters[0] : undefined;
  while (open()) {
    const changed = changeOf(deps, alone, POLL_MS);
    const found = await events.list(filter, last, BATCH);
    for (const { id, cluster, event } of found) {
      if (!open()) return changed.stop();
      await sse.send({ id, event: event.type, data: { ...event.data, cluster } });
      last = id;
    }
    if (found.length > 0) changed.stop();
    await changed.promise;
  }
}
