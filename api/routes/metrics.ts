import { z } from 'zod';
import { KubewrightError } from '../../contracts/errors.ts';
import { defineRoutes, responses } from '../route.ts';

/** How long the embedded worker's metrics are waited for, ms, and how large they may be, bytes. */
const WORKER_WAIT_MS = 5_000;
const WORKER_BYTES = 8 * 1024 * 1024;

/** /metrics: of this process and the installation. /metrics/worker: of the worker that this process runs. */
export default defineRoutes((api, deps) => {
  const schema = (operationId: string, summary: string) => ({
    operationId,
    summary,
    tags: ['health'],
    produces: ['text/plain'],
    response: responses({ 200: z.string() }),
  });
  // Every few seconds, from a machine: only what goes wrong is worth a line.
  const route = { logLevel: 'warn' as const, config: { role: 'viewer' as const } };
  api.get(
    '/metrics',
    {
      ...route,
      schema: schema('metrics', 'Get metrics of the API process and the installation in the text format of Prometheus'),
    },
    async (_request, reply) =>
      reply
        .type(deps.metrics.contentType)
        .header('cache-control', 'no-store')
        .send(await deps.metrics.metrics()),
  );
  api.get(
    '/metrics/worker',
    {
      ...route,
      schema: schema(
        'workerMetrics',
        'Get metrics of the worker that this process runs. Other workers serve their own',
      ),
    },
    async (_request, reply) => {
      const url = deps.workerMetricsUrl?.();
      if (url === undefined) {
        throw new KubewrightError(
          'NOT_FOUND',
          'this process runs no worker that serves metrics; read the metrics of each worker',
        );
      }
      const { text, type } = await read(url);
      return reply.type(type).header('cache-control', 'no-store').send(text);
    },
  );
});

async function read(url: string): Promise<{ text: string; type: string }> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(WORKER_WAIT_MS), redirect: 'error' });
    const text = await response.text();
    if (!response.ok || text.length > WORKER_BYTES) throw new Error(`${response.status}, ${text.length} bytes`);
    return { text, type: response.headers.get('content-type') ?? 'text/plain; charset=utf-8' };
  } catch (error) {
    throw new KubewrightError('INTERNAL', "the worker's metrics could not be read", { cause: error });
  }
}
