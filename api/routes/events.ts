import { z } from 'zod';
import { clusterEvent } from '../../contracts/api.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { changeOf } from '../dry-run.ts';
import { clusterParams, defineRoutes, responses } from '../route.ts';

/** A ULID, or nothing for the beginning. */
const EVENT_ID = /^[0-9A-Z]{0,32}$/;
/** Events sent in one go. */
const BATCH = 200;
/** How long we wait for a change made by another process, ms. */
const POLL_MS = 1_000;

/** GET /clusters/:name/events: server-sent events `operation` and `task`, resumable with Last-Event-ID. */
export default defineRoutes((api, deps) => {
  api.get(
    '/clusters/:name/events',
    {
      config: { role: 'viewer', media: { 'text/event-stream': clusterEvent } },
      // Whatever is accepted: there is nothing else here.
      sse: 'manual',
      // HEAD would wait for the end of a stream that has none.
      exposeHeadRoute: false,
      schema: {
        operationId: 'followCluster',
        summary: 'Stream changes of the cluster as server-sent events. Last-Event-ID or ?after= resumes a stream',
        tags: ['clusters'],
        params: clusterParams,
        querystring: z.strictObject({
          after: z
            .string()
            .regex(EVENT_ID, 'must be the id of an event')
            .optional()
            .describe('Id of an event to continue behind; empty: from the beginning; absent: from now'),
        }),
        produces: ['text/event-stream'],
        response: responses({ 200: z.string().describe('A stream of server-sent events') }),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { projections } = deps.store;
      if (!(await projections.latestOperation(name))) {
        throw new KubewrightError('NOT_FOUND', `there is no cluster named ${name}`);
      }
      const { sse } = reply;
      const resumed = sse.lastEventId ?? request.query.after;
      if (resumed !== undefined && !EVENT_ID.test(resumed)) {
        throw new KubewrightError('BAD_REQUEST', 'headers.last-event-id must be the id of an event');
      }
      const signal = api.openStream(request, reply);
      let last = resumed ?? (await projections.lastEventId(name));
      // What a proxy would hold back otherwise, and the place to resume from.
      await sse.send({ event: 'ready', data: { cluster: name }, ...(last === '' ? {} : { id: last }) });
      while (sse.isConnected && !signal.aborted) {
        const changed = changeOf(deps, name, POLL_MS);
        const found = await projections.events(name, last, BATCH);
        for (const { id, event } of found) {
          if (!sse.isConnected || signal.aborted) return;
          await sse.send({ id, event: event.type, data: event.data });
          last = id;
        }
        if (found.length > 0) changed.stop();
        await changed.promise;
      }
    },
  );
});
