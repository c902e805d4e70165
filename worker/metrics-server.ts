import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { Registry } from '@prometheus-io/client';
import { type MetricsAddress, messageOf } from './metrics-address.ts';

/** How long the SDK's own exporter may take, ms, and how much it may say, bytes. */
const SDK_WAIT_MS = 2_000;
const SDK_BYTES = 4 * 1024 * 1024;
/** Scrapers keep their connection for a while. */
const IDLE_MS = 30_000;

export interface MetricsServer {
  /** Where it listens. */
  url: string;
  close(): Promise<void>;
}

export interface MetricsServerOptions {
  registry: Registry;
  listen: MetricsAddress;
  /** Where the SDK's core exports its own metrics; null: nowhere. */
  sdkUrl: string | null;
  logger: { warn(details: object, message: string): void };
}

/**
 * Serve `/metrics` of a worker, the SDK's own after ours, and nothing else. With a token only to those who send it.
 * Rejects when the address cannot be had.
 */
export async function serveMetrics(options: MetricsServerOptions): Promise<MetricsServer> {
  const { registry, listen, sdkUrl, logger } = options;
  const server = createServer((request, response) => {
    const answer = (status: number, text: string, type = 'text/plain; charset=utf-8') => {
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
      response.end(request.method === 'HEAD' ? '' : text);
    };
    if (request.url?.split('?')[0] !== '/metrics') return answer(404, 'only /metrics is here\n');
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, 'only GET\n');
    if (!allowed(request.headers.authorization, listen.token)) return answer(401, 'needs a bearer token\n');
    Promise.all([registry.metrics(), sdkUrl === null ? '' : sdkMetrics(sdkUrl, logger)]).then(
      ([own, sdk]) => answer(200, `${own.endsWith('\n') ? own : `${own}\n`}${sdk}`, registry.contentType),
      (error: unknown) => {
        logger.warn({ err: error }, 'the worker could not collect its metrics');
        answer(500, 'the metrics could not be collected\n');
      },
    );
  });
  server.keepAliveTimeout = IDLE_MS;
  await listening(server, listen);
  const bound = server.address();
  const port = typeof bound === 'object' && bound ? bound.port : listen.port;
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
  return {
    url: `http://${host}:${port}/metrics`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listening(server: Server, { host, port }: MetricsAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function allowed(header: string | undefined, token: string | undefined): boolean {
  if (token === undefined) return true;
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(header ?? ''), digest(`Bearer ${token}`));
}

/** What the core exports; without it, a comment that says so. */
async function sdkMetrics(url: string, logger: MetricsServerOptions['logger']): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(SDK_WAIT_MS), redirect: 'error' });
    const text = await response.text();
    if (!response.ok || text.length > SDK_BYTES) throw new Error(`${response.status}, ${text.length} bytes`);
    return text === '' || text.endsWith('\n') ? text : `${text}\n`;
  } catch (error) {
    logger.warn({ err: error }, 'the worker could not read the metrics of the Temporal SDK');
    return `# the SDK's metrics could not be read: ${messageOf(error)}\n`;
  }
}
