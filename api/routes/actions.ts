import { accepted, actionRequest, cancelRequest, pauseRequest } from '../../contracts/api.ts';
import { actOnActive, actOnce } from '../action.ts';
import { clusterParams, commandHeaders, defineRoutes, requireKnown, responses } from '../route.ts';

/** What a person says of a running operation as a whole: pause, resume, cancel. */
export default defineRoutes((api, deps) => {
  const config = { role: 'operator' as const };
  const schema = (id: string, summary: string) => ({
    operationId: id,
    summary,
    tags: ['operations'],
    params: clusterParams,
    headers: commandHeaders,
    response: responses({ 202: accepted }),
  });

  api.post(
    '/clusters/:name/pause',
    {
      config: { ...config, emergency: true },
      schema: {
        ...schema(
          'pause',
          'Pause the running operation: start no new task. `drain` lets running tasks end, `interrupt` cancels them, to run again later',
        ),
        body: pauseRequest,
      },
    },
    async (request, reply) => {
      const { headers, body } = request;
      const cluster = request.params.name;
      const answer = await actOnActive(
        deps,
        request,
        { cluster, headers, body },
        { type: 'pause' },
        (context, { operationId }) => deps.temporal.pause(cluster, operationId, { ...context, mode: body.mode }),
      );
      return reply.code(202).send(answer);
    },
  );

  api.post(
    '/clusters/:name/resume',
    { config, schema: { ...schema('resume', 'Resume a paused operation'), body: actionRequest } },
    async (request, reply) => {
      const { headers, body } = request;
      const cluster = request.params.name;
      const answer = await actOnActive(
        deps,
        request,
        { cluster, headers, body },
        { type: 'resume' },
        (context, { operationId }) => deps.temporal.resume(cluster, operationId, context),
      );
      return reply.code(202).send(answer);
    },
  );

  api.post(
    '/clusters/:name/cancel',
    {
      config: { ...config, emergency: true },
      schema: {
        ...schema('cancel', 'Cancel the running operation, or remove a queued one. Completed work is kept'),
        body: cancelRequest,
      },
    },
    async (request, reply) => {
      const { headers, body } = request;
      const cluster = request.params.name;
      const answer = await actOnce(
        deps,
        request,
        { cluster, headers, body },
        { type: 'cancel' },
        async ({ expectedVersion: _any, ...context }, operationId) => {
          await requireKnown(deps, cluster);
          return deps.temporal.cancel(cluster, { ...context, operationId });
        },
      );
      return reply.code(202).send(answer);
    },
  );
});
