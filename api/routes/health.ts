import { z } from 'zod';
import { type AddRoutes, responses } from './shared.ts';

const check = z.enum(['ok', 'unreachable']);

/** /healthz: this process lives. /readyz: it can do its work. No token. */
export const health: AddRoutes = (api, deps) => {
  api.get(
    '/healthz',
    {
      config: { role: 'public' },
      schema: {
        operationId: 'healthz',
        summary: 'The process answers',
        tags: ['health'],
        security: [],
        response: responses({ 200: z.object({ status: z.literal('ok') }) }),
      },
    },
    async () => ({ status: 'ok' as const }),
  );
  const state = z.object({ status: z.enum(['ready', 'not-ready']), store: check, temporal: check });
  api.get(
    '/readyz',
    {
      config: { role: 'public' },
      schema: {
        operationId: 'readyz',
        summary: 'Store and Temporal answer',
        tags: ['health'],
        security: [],
        response: { ...responses({ 200: state }), 503: state },
      },
    },
    async (_request, reply) => {
      const asked: PromiseSettledResult<void>[] = await Promise.allSettled([deps.store.ping(), deps.temporal.ping()]);
      const [store, temporal] = asked.map(({ status }) => (status === 'fulfilled' ? 'ok' : 'unreachable'));
      const ready = store === 'ok' && temporal === 'ok';
      return reply.code(ready ? 200 : 503).send({
        status: ready ? 'ready' : 'not-ready',
        store: store ?? 'unreachable',
        temporal: temporal ?? 'unreachable',
      });
    },
  );
};
