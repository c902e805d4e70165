import { Counter, Gauge, Histogram, type Registry } from '@prometheus-io/client';
import type { FastifyInstance } from 'fastify';
import { HEALTH_STATES } from '../contracts/health.ts';
import { OPERATION_STATES } from '../contracts/operation.ts';
import { CLUSTER_STATES } from '../store/changes.ts';
import type { Statistics, StatisticsReader } from '../store/statistics.ts';

const REQUEST_SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** Numbers of the database are read anew after this long, however often they are scraped, ms. */
const FRESH_MS = 5_000;
/** Methods that have a label of their own: a caller may send any word. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Counts every request by its route, never by its address: what a caller invents makes no series. */
export function countRequests(app: FastifyInstance, registry: Registry): void {
  const requests = new Counter({
    name: 'kubewright_http_requests_total',
    help: 'Answered requests, by method, route and status code',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'kubewright_http_request_duration_seconds',
    help: 'Duration of requests, with event streams, by route',
    labelNames: ['route'],
    buckets: REQUEST_SECONDS,
    registers: [registry],
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none');
    const method = METHODS.has(request.method) ? request.method : 'other';
    requests.inc({ method, route, status: String(reply.statusCode) });
    seconds.observe({ route }, reply.elapsedTime / 1000);
  });
}

/** Figures of the installation from the database, read at a scrape. */
export function describeInstallation(registry: Registry, statistics: StatisticsReader): void {
  let known: { at: number; read: Promise<Statistics> } | undefined;
  const read = (): Promise<Statistics> => {
    if (!known || Date.now() - known.at > FRESH_MS) known = { at: Date.now(), read: statistics.read() };
    return known.read;
  };
  const registers = [registry];
  const gauge = (name: string, help: string, value: (statistics: Statistics) => number) =>
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        this.set(value(await read()));
      },
    });
  const byState = (
    name: string,
    help: string,
    { states, of }: { states: readonly string[]; of: (statistics: Statistics) => Record<string, number> },
  ) =>
    new Gauge({
      name,
      help,
      labelNames: ['state'],
      registers,
      async collect() {
        const counts = of(await read());
        // Zeros too: an alert on a state must not miss it because a series is missing.
        for (const state of states) this.set({ state }, counts[state] ?? 0);
      },
    });
  byState('kubewright_operations', 'Operations, by state', {
    states: OPERATION_STATES,
    of: ({ operations }) => operations,
  });
  byState('kubewright_clusters', 'Clusters, by state', { states: CLUSTER_STATES, of: ({ clusters }) => clusters });
  byState('kubewright_cluster_health', 'Clusters, by health at the last health check', {
    states: HEALTH_STATES,
    of: ({ health }) => health,
  });
  gauge(
    'kubewright_queue_depth',
    'Operations in the queue of their cluster',
    ({ operations }) => operations['queued'] ?? 0,
  );
  gauge('kubewright_blocked_hosts', 'Hosts that wait for a decision', ({ blockedHosts }) => blockedHosts);
  gauge(
    'kubewright_journal_links',
    'Links in the chains of the journal: two for each record',
    (statistics) => statistics.journalLinks,
  );
  gauge('kubewright_database_bytes', 'Size of the database', ({ databaseBytes }) => databaseBytes);
}
