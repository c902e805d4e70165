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
        ...schema('pause', 'Start no new task; let running ones end (drain), or cancel them to run again (interrupt)'),
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
    { config, schema: { ...schema('resume', 'Go on after a pause'), body: actionRequest } },
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
        ...schema('cancel', 'End the running operation, or take a waiting one out of the queue; what was done is kept'),
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
