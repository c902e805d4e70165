import { z } from 'zod';
import { CHECK_STATES, type Readiness } from '../readiness/readiness.ts';
import { defineRoutes, responses } from '../route.ts';

const check = z.enum(CHECK_STATES);
/** The answer of /readyz, with a field for each check. */
const stateOf = (parts: Readiness['parts']) =>
  z.object({
    status: z.enum(['ready', 'not-ready']),
    ...Object.fromEntries(parts.map(({ name, meaning }) => [name, check.describe(meaning)])),
    causes: z.record(z.string(), z.string()).describe('One sentence for each check that failed'),
  });

/** /healthz: this process lives. /readyz: it can do its work. No token, hence fixed sentences. */
export default defineRoutes((api, { readiness }) => {
  const state = stateOf(readiness.parts);
  api.get(
    '/healthz',
    {
      // Probed every second: only what goes wrong is worth a line.
      logLevel: 'warn',
      config: { role: 'public' },
      schema: {
        operationId: 'healthz',
        summary: 'Check that the API process answers',
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
        summary: 'Check that database, Temporal, worker and disk work',
        description: 'Answers within 2 s, also when a component does not answer. It may be called every second.',
        tags: ['health'],
        security: [],
        response: { ...responses({ 200: state }), 503: state.describe('At least one check failed') },
      },
    },
    async (_request, reply) => {
      const { ready, findings } = await readiness.run();
      const causes = Object.entries(findings).flatMap(([name, found]) =>
        found.state === 'ok' ? [] : [[name, found.cause] as const],
      );
      return reply.code(ready ? 200 : 503).send({
        status: ready ? 'ready' : 'not-ready',
        ...Object.fromEntries(Object.entries(findings).map(([name, { state }]) => [name, state])),
        causes: Object.fromEntries(causes),
      });
    },
  );
});
