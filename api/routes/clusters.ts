import { z } from 'zod';
import { clusterDetail, clusterSummary, pageOf } from '../../contracts/api.ts';
import { LIMITS } from '../../contracts/limits.ts';
import { viewTag } from '../action.ts';
import { blockedHostsOf, countsOf, hostsOf, listedOf, summaryOf, timingsOf } from '../cluster-view.ts';
import { clusterParams, defineRoutes, operationLinks, page, requireCluster, responses } from '../route.ts';

/** GET /clusters and GET /clusters/:name. */
export default defineRoutes((api, deps) => {
  api.get(
    '/clusters',
    {
      config: { role: 'viewer', anyCluster: true },
      schema: {
        operationId: 'listClusters',
        summary: 'List clusters by name',
        tags: ['clusters'],
        querystring: z.strictObject(page),
        response: responses({ 200: pageOf(clusterSummary) }),
      },
    },
    async (request) => {
      const { items, next } = await deps.store.projections.clusters({ ...request.query, names: request.clusters });
      return { items: items.map(listedOf), next };
    },
  );

  api.get(
    '/clusters/:name',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'getCluster',
        summary: 'Get state, hosts, blocked hosts, and tasks and timings of the latest operation',
        tags: ['clusters'],
        params: clusterParams,
        response: responses({ 200: clusterDetail }),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const record = await requireCluster(deps, name);
      const spec = await deps.store.specs.get(record.specRef);
      const { latestOperation } = record;
      const status = latestOperation ? await deps.store.projections.operation(name, latestOperation) : null;
      const tasks = status?.tasks ?? [];
      const quarantine = await deps.store.projections.quarantine(name);
      if (status) void reply.header('etag', viewTag(status));
      return {
        ...summaryOf(record),
        spec: { ...spec },
        hosts: hostsOf(spec, tasks, quarantine),
        tasks: tasks.slice(0, LIMITS.tasksInline),
        taskCounts: countsOf(tasks),
        blockedHosts: blockedHostsOf(tasks),
        quarantinedHosts: quarantine.map(({ host }) => host),
        ...(status?.version === undefined ? {} : { version: status.version }),
        ...(status?.decisions ? { decisions: status.decisions } : {}),
        ...(status?.pause ? { pause: status.pause } : {}),
        ...(status?.error ? { error: status.error } : {}),
        timings: timingsOf(status, Date.now()),
        smokeImage: deps.smokeImage(spec),
        links: latestOperation ? operationLinks(name, latestOperation) : { cluster: `/clusters/${name}` },
      };
    },
  );
});
