import { z } from 'zod';
import { operationId, taskPage } from '../../contracts/api.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { TASK_STATES } from '../../contracts/operation.ts';
import { dnsLabel } from '../../contracts/primitives.ts';
import { clusterParams, defineRoutes, page, responses } from '../route.ts';
import { taskCursor, taskPlace } from '../task-cursor.ts';

/** GET /clusters/:name/operations/:id/tasks: all tasks of an operation, however many. */
export default defineRoutes((api, deps) => {
  api.get(
    '/clusters/:name/operations/:id/tasks',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'listTasks',
        summary: 'List the tasks of an operation, in the order of its plan',
        tags: ['operations'],
        params: clusterParams.extend({ id: operationId }),
        querystring: z.strictObject({
          ...page,
          phase: dnsLabel.optional().describe('Only tasks of this phase'),
          host: dnsLabel.optional().describe('Only tasks of this host; `cluster`: those that no host has'),
          state: z.enum(TASK_STATES).optional().describe('Only tasks in this state'),
          changes: z
            .enum(['true', 'false'])
            .default('false')
            .describe('True: also what each task changed, or in a dry run would change'),
        }),
        response: responses({ 200: taskPage }),
      },
    },
    async (request) => {
      const { name, id } = request.params;
      const { limit, cursor, phase, host, state, changes } = request.query;
      const head = await deps.store.tasks.head(name, id);
      if (!head) throw new KubewrightError('NOT_FOUND', `the cluster ${name} has no operation ${id}`);
      const after = cursor === undefined ? undefined : taskPlace(head, cursor);
      const { items, next } = await deps.store.tasks.page(head, { limit, after, phase, host, state });
      const found = changes === 'true' ? await deps.store.taskChanges.of(head, items) : null;
      return {
        items: found === null ? items : items.map((task) => ({ ...task, changes: changesOf(task, found) })),
        next: taskCursor(head, next),
      };
    },
  );
});

function changesOf<Found extends { phase: string; host: string; changes: unknown[] }>(
  task: { phase: string; host: string },
  found: readonly Found[],
): Found['changes'] {
  return found.find(({ phase, host }) => phase === task.phase && host === task.host)?.changes ?? [];
}
