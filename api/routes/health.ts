import { z } from 'zod';
import { CHECK_STATES } from '../readiness/readiness.ts';
import { defineRoutes, responses } from '../route.ts';

const check = z.enum(CHECK_STATES);
const state = z.object({
  status: z.enum(['ready', 'not-ready']),
  store: check.describe('It answers and takes writes'),
  temporal: check.describe('It answers for our namespace'),
  worker: check.describe('A worker is alive and reaches Temporal'),
  disk: check.describe('There is room where we write'),
  causes: z.record(z.string(), z.string()).describe('A sentence for each that is not ok'),
});

/** /healthz: this process lives. /readyz: it can do its work. No token, hence fixed sentences. */
export default defineRoutes((api, { readiness }) => {
  api.get(
    '/healthz',
    {
      // Probed every second: only what goes wrong is worth a line.
      logLevel: 'warn',
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
  api.get(
    '/readyz',
    {
      // Probed every second: only what goes wrong is worth a line.
      logLevel: 'warn',
      config: { role: 'public' },
      schema: {
        operationId: 'readyz',
        summary: 'Store, Temporal, worker and disk are well',
        description: 'Answers within some 2 s whatever hangs. May be asked every second.',
        tags: ['health'],
        security: [],
        response: { ...responses({ 200: state }), 503: state },
      },
    },
    async (_request, reply) => {
      const { ready, findings } = await readiness.look();
      const { store, temporal, worker, disk } = findings;
      const causes = Object.entries(findings).flatMap(([name, found]) =>
        found.state === 'ok' ? [] : [[name, found.cause] as const],
      );
      return reply.code(ready ? 200 : 503).send({
        status: ready ? 'ready' : 'not-ready',
        ...{ store: store.state, temporal: temporal.state, worker: worker.state, disk: disk.state },
        causes: Object.fromEntries(causes),
      });
    },
  );
});
