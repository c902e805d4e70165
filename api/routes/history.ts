import { z } from 'zod';
import { historyPage, operationId } from '../../contracts/api.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { dnsLabel } from '../../contracts/primitives.ts';
import type { OperationHistory } from '../temporal-gateway.ts';
import { type AddRoutes, clusterParams, page, responses } from './shared.ts';

const NO_HISTORY: OperationHistory = { events: [], plan: null, results: [] };

/** GET /clusters/:name/history: what was scheduled, and every command that ran. */
export const history: AddRoutes = (api, deps) => {
  api.get(
    '/clusters/:name/history',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'getHistory',
        summary: 'Workflow events of an operation (default: the latest) with the commands that ran',
        tags: ['history'],
        params: clusterParams,
        querystring: z.strictObject({
          ...page,
          operation: operationId.optional(),
          phase: dnsLabel.optional(),
          host: dnsLabel.optional(),
        }),
        response: responses({ 200: historyPage }),
      },
    },
    async (request) => {
      const { name } = request.params;
      const { phase, host, limit, cursor } = request.query;
      const status =
        request.query.operation === undefined
          ? await deps.store.projections.latestOperation(name)
          : await deps.store.projections.operation(name, request.query.operation);
      if (!status) {
        throw new KubewrightError(
          'NOT_FOUND',
          `there is no ${request.query.operation === undefined ? 'cluster named' : `operation ${request.query.operation} of`} ${name}`,
        );
      }
      const operation = status.operationId;
      const [{ items, next }, { events }] = await Promise.all([
        deps.store.journal.list({ cluster: name, operation, phase, host, limit, cursor }),
        deps.temporal.history(name, operation).catch((error: unknown) => {
          // The journal is ours and stays; Temporal may have forgotten, or be away.
          if (KubewrightError.is(error) && ['NOT_FOUND', 'TEMPORAL_UNAVAILABLE'].includes(error.code))
            return NO_HISTORY;
          throw error;
        }),
      ]);
      const scheduled = new Map(
        events.flatMap(({ activityId, id, type }) =>
          activityId !== undefined && type === 'ActivityTaskScheduled' ? [[activityId, id] as const] : [],
        ),
      );
      const wanted = events.filter(
        (event) => (phase === undefined || event.phase === phase) && (host === undefined || event.host === host),
      );
      return {
        operation,
        events: cursor === undefined ? wanted.map(({ activityId: _activityId, ...event }) => event) : [],
        items: items.map((item) => ({ ...item, eventId: scheduled.get(item.activityId) ?? null })),
        next,
      };
    },
  );

  api.get(
    '/clusters/:name/history/output/:sha',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'getCommandOutput',
        summary: 'What a command wrote, by its sha256',
        tags: ['history'],
        params: clusterParams.extend({ sha: z.string().regex(/^[0-9a-f]{64}$/, 'must be a sha256') }),
        produces: ['text/plain'],
        response: responses({ 200: z.string() }),
      },
    },
    async (request, reply) => {
      const { name, sha } = request.params;
      const text = (await deps.store.journal.hasOutput(name, sha)) ? await deps.store.blobs.get(sha) : null;
      if (text === null) throw new KubewrightError('NOT_FOUND', `no command of ${name} wrote an output of this digest`);
      return reply.type('text/plain; charset=utf-8').send(text);
    },
  );
};
