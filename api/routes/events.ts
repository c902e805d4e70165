import { z } from 'zod';
import { clusterEvent, EVENT_TYPES } from '../../contracts/api.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { afterQuery, sendEvents } from '../event-stream.ts';
import { clusterName, clusterParams, defineRoutes, responses } from '../route.ts';

/** Clusters that a stream may name. */
const MOST_CLUSTERS = 100;
const type = z.enum(EVENT_TYPES);

/** GET /events, /clusters/:name/events: server-sent events `operation` and `task`, resumable with Last-Event-ID. */
export default defineRoutes((api, deps) => {
  const shared = {
    // Whatever is accepted: there is nothing else here.
    sse: 'manual' as const,
    // HEAD would wait for the end of a stream that has none.
    exposeHeadRoute: false,
  };
  const media = { 'text/event-stream': clusterEvent };
  const answer = {
    produces: ['text/event-stream'],
    response: responses({ 200: z.string().describe('A stream of server-sent events') }),
  };
  const requireKnown = async (name: string) => {
    if (await deps.store.projections.hasOperations(name)) return;
    throw new KubewrightError('NOT_FOUND', `there is no cluster named ${name}`);
  };

  api.get(
    '/events',
    {
      ...shared,
      config: { role: 'viewer', media, anyCluster: true },
      schema: {
        operationId: 'followAll',
        summary:
          'Stream changes of all clusters that the token may access as server-sent events. Last-Event-ID or ?after= resumes a stream',
        tags: ['clusters'],
        querystring: z.strictObject({
          ...afterQuery,
          cluster: z
            .union([clusterName, z.array(clusterName).min(1).max(MOST_CLUSTERS)])
            .optional()
            .describe('Only events of this cluster; may be repeated'),
          type: z
            .union([type, z.array(type).min(1).max(EVENT_TYPES.length)])
            .optional()
            .describe('Only events of this type; may be repeated'),
        }),
        ...answer,
      },
    },
    async (request, reply) => {
      const { after, cluster, type: types } = request.query;
      const named = cluster === undefined ? null : [cluster].flat();
      for (const name of named ?? []) {
        if (request.clusters?.includes(name) === false) {
          throw new KubewrightError('NOT_FOUND', `there is no cluster named ${name}`);
        }
        await requireKnown(name);
      }
      const clusters = named ?? request.clusters;
      await sendEvents(
        { api, deps, request, reply },
        { clusters, types: types === undefined ? undefined : [types].flat() },
        { after, ready: {} },
      );
    },
  );

  api.get(
    '/clusters/:name/events',
    {
      ...shared,
      config: { role: 'viewer', media },
      schema: {
        operationId: 'followCluster',
        summary: 'Stream changes of the cluster as server-sent events. Last-Event-ID or ?after= resumes a stream',
        tags: ['clusters'],
        params: clusterParams,
        querystring: z.strictObject(afterQuery),
        ...answer,
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      await requireKnown(name);
      const { after } = request.query;
      await sendEvents({ api, deps, request, reply }, { clusters: [name] }, { after, ready: { cluster: name } });
    },
  );
});
