import { z } from 'zod';
import { listedOperation, operationDetail, operationId, pageOf } from '../../contracts/api.ts';
import { KIND_ALIASES } from '../../contracts/earlier-kinds.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { LIMITS } from '../../contracts/limits.ts';
import type { OperationStatus } from '../../contracts/operation.ts';
import type { TaskChanges } from '../../contracts/status.ts';
import { viewTag } from '../action.ts';
import { elapsed } from '../cluster-view.ts';
import { clusterParams, defineRoutes, page, requireCluster, responses } from '../route.ts';
import { taskCursor } from '../task-cursor.ts';

/** GET /clusters/:name/operations, and one of them. They start in start-operation.ts. */
export default defineRoutes((api, deps) => {
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
      return { ...found, items: found.items.map(shown) };
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
        ...shown(head),
        ...(head.startedAt === undefined ? {} : { durationMs: elapsed(head.startedAt, head.endedAt, Date.now()) }),
        tasks,
        taskCounts: await deps.store.tasks.counts(head),
        tasksNext: taskCursor(head, next),
        changes: request.query.changes === 'true' ? firstChanges(await deps.store.taskChanges.of(head, tasks)) : [],
        ...(request.query.plan === 'true' ? { plan: await deps.store.plans.get(name, id) } : {}),
      };
    },
  );
});

/** The status by the kinds of today: a check of an earlier version is a mode now. Records and bundles keep what was written. */
const shown = <Status extends Pick<OperationStatus, 'kind' | 'mode'>>(status: Status): Status => ({
  ...status,
  ...KIND_ALIASES.get(status.kind),
});

/** The first changes of all tasks together; the numbers of changes stay whole. */
function firstChanges(found: readonly TaskChanges[]): TaskChanges[] {
  let left: number = LIMITS.changesInline;
  return found.map((task) => {
    const changes = task.changes.slice(0, left);
    left -= changes.length;
    return { ...task, changes };
  });
}
