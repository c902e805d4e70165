import { z } from 'zod';
import {
  accepted,
  listedOperation,
  operationDetail,
  operationId,
  operationRequest,
  pageOf,
} from '../../contracts/api.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { LIMITS } from '../../contracts/limits.ts';
import { viewTag } from '../action.ts';
import { callerOf } from '../caller.ts';
import { elapsed } from '../cluster-view.ts';
import type { ApiDeps } from '../deps.ts';
import { actorFor } from '../plugins/auth.ts';
import { requireLogins } from '../require-logins.ts';
import {
  clusterParams,
  defineRoutes,
  idempotencyHeaders,
  operationLinks,
  page,
  requireCluster,
  responses,
} from '../route.ts';
import { submitOperation } from '../submit.ts';
import { taskCursor } from '../task-cursor.ts';

/** /clusters/:name/operations */
export default defineRoutes((api, deps) => {
  api.post(
    '/clusters/:name/operations',
    {
      config: { role: 'operator' },
      schema: {
        operationId: 'startOperation',
        summary:
          'Start an operation on the stored spec: build, check (changes nothing), or heal (brings hosts back from quarantine)',
        tags: ['operations'],
        params: clusterParams,
        headers: idempotencyHeaders,
        body: operationRequest,
        response: responses({ 202: accepted }),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { kind, phases, hosts } = request.body;
      const { specRef } = await requireCluster(deps, name);
      const spec = await deps.store.specs.get(specRef);
      const known = { phases: deps.phases.map((phase) => phase.name), hosts: spec.spec.hosts.map((host) => host.name) };
      for (const [what, asked] of [['phases', phases] as const, ['hosts', hosts] as const]) {
        const unknown = asked?.find((each) => !known[what].includes(each));
        if (unknown !== undefined) throw new KubewrightError('BAD_REQUEST', `body.${what}: there is no ${unknown}`);
      }
      // A credential may be for other clusters by now.
      await requireLogins(deps, callerOf(request), spec, spec);
      if (kind === 'heal') await requireQuarantined(deps, name, request.body);
      const operation = await submitOperation(deps, {
        cluster: name,
        kind,
        mode: kind === 'check' ? 'check' : 'apply',
        specRef,
        phases,
        hosts,
        actor: actorFor(request),
        idempotencyKey: request.headers['idempotency-key'],
      });
      const links = operationLinks(name, operation);
      return reply.code(202).header('location', links.operation).send({ cluster: name, operation, links });
    },
  );

  api.get(
    '/clusters/:name/operations',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'listOperations',
        summary: 'List the operations of a cluster, newest first',
        tags: ['operations'],
        params: clusterParams,
        querystring: z.strictObject(page),
        response: responses({ 200: pageOf(listedOperation) }),
      },
    },
    async (request) => {
      const { name } = request.params;
      const found = await deps.store.projections.operations(name, request.query);
      // A dry run of a cluster that was never built has operations, and no cluster.
      if (found.items.length === 0 && !(await deps.store.projections.latestOperation(name))) {
        await requireCluster(deps, name);
      }
      return found;
    },
  );

  api.get(
    '/clusters/:name/operations/:id',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'getOperation',
        summary: 'Get tasks, timings and changes of one operation',
        tags: ['operations'],
        params: clusterParams.extend({ id: operationId }),
        querystring: z.strictObject({
          changes: z
            .enum(['true', 'false'])
            .default('false')
            .describe('True: also what each task changed, or in a dry run would change'),
          plan: z.enum(['true', 'false']).default('false').describe('True: also the plan'),
        }),
        response: responses({ 200: operationDetail }),
      },
    },
    async (request, reply) => {
      const { name, id } = request.params;
      const head = await deps.store.tasks.head(name, id);
      if (!head) throw new KubewrightError('NOT_FOUND', `the cluster ${name} has no operation ${id}`);
      void reply.header('etag', viewTag(head));
      const { items: tasks, next } = await deps.store.tasks.page(head, { limit: LIMITS.tasksInline });
      return {
        ...head,
        ...(head.startedAt === undefined ? {} : { durationMs: elapsed(head.startedAt, head.endedAt, Date.now()) }),
        tasks,
        taskCounts: await deps.store.tasks.counts(head),
        tasksNext: taskCursor(head, next),
        changes: request.query.changes === 'true' ? await deps.store.taskChanges.of(head, tasks) : [],
        ...(request.query.plan === 'true' ? { plan: await deps.store.plans.get(name, id) } : {}),
      };
    },
  );
});

/** A heal is about hosts in quarantine (default: all of them) and takes every phase that they missed. */
async function requireQuarantined(
  deps: ApiDeps,
  cluster: string,
  { hosts, phases }: z.infer<typeof operationRequest>,
): Promise<void> {
  if (phases) throw new KubewrightError('BAD_REQUEST', 'body.phases: a heal always runs all phases of its hosts');
  const out = (await deps.store.projections.quarantine(cluster)).map(({ host }) => host);
  const stranger = hosts?.find((host) => !out.includes(host));
  if (stranger === undefined && out.length > 0) return;
  const message = stranger === undefined ? `no host of ${cluster} is` : `host ${stranger} of ${cluster} is not`;
  throw new KubewrightError('HOST_NOT_QUARANTINED', `${message} in quarantine`);
}
