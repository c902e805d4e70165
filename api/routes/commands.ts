import { accepted, cancelRequest, commandRequest, pauseRequest } from '../../contracts/api.ts';
import { commandActiveOnce, commandOnce } from '../command.ts';
import { type AddRoutes, clusterParams, commandHeaders, requireKnown, responses } from './shared.ts';

/** What a person says of a running operation as a whole: pause, resume, cancel. */
export const commands: AddRoutes = (api, deps) => {
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
      const answer = await commandActiveOnce(
        deps,
        request,
        { cluster, headers, body },
        { type: 'pause' },
        (words, { operationId }) => deps.temporal.pause(cluster, operationId, { ...words, mode: body.mode }),
      );
      return reply.code(202).send(answer);
    },
  );

  api.post(
    '/clusters/:name/resume',
    { config, schema: { ...schema('resume', 'Go on after a pause'), body: commandRequest } },
    async (request, reply) => {
      const { headers, body } = request;
      const cluster = request.params.name;
      const answer = await commandActiveOnce(
        deps,
        request,
        { cluster, headers, body },
        { type: 'resume' },
        (words, { operationId }) => deps.temporal.resume(cluster, operationId, words),
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
      const answer = await commandOnce(
        deps,
        request,
        { cluster, headers, body },
        { type: 'cancel' },
        async ({ expectedVersion: _any, ...words }, operationId) => {
          await requireKnown(deps, cluster);
          return deps.temporal.cancel(cluster, { ...words, operationId });
        },
      );
      return reply.code(202).send(answer);
    },
  );
};
