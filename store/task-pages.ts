import type { Kysely } from 'kysely';
import type { OperationStatus, TaskState, TaskStatus } from '../contracts/operation.ts';
import type { StatusHead } from './changes.ts';
import type { Tables } from './schema.ts';
import { countsOf, type TaskCounts } from './task-rows.ts';

/** Where a task stands in its operation: the order of the plan. `task` decides between tasks that two batches wrote at once. */
export interface TaskPlace {
  position: number;
  /** `<phase>:<host>`. */
  task: string;
}

export interface TaskQuery {
  limit: number;
  /** Only behind this place. */
  after?: TaskPlace | undefined;
  phase?: string | undefined;
  host?: string | undefined;
  state?: TaskState | undefined;
}

/** The tasks of an operation, a page at a time. */
export interface TaskPages {
  /** The operation without its tasks; null: there is no such operation. */
  head(cluster: string, operation: string): Promise<StatusHead | null>;
  /** In the order of the plan. `next` is the place of the last item; null: there are no more. */
  page(
    operation: Pick<OperationStatus, 'cluster' | 'operationId'>,
    query: TaskQuery,
  ): Promise<{ items: TaskStatus[]; next: TaskPlace | null }>;
  counts(operation: Pick<OperationStatus, 'cluster' | 'operationId'>): Promise<TaskCounts>;
}

export function taskPages(db: Kysely<Tables>): TaskPages {
  return {
    async head(cluster, operation) {
      const row = await db
        .selectFrom('operations')
        .select('status')
        .where('cluster', '=', cluster)
        .where('id', '=', operation)
        .executeTakeFirst();
      return row ? (JSON.parse(row.status) as StatusHead) : null;
    },
    async page({ cluster, operationId }, { limit, after, phase, host, state }) {
      let query = db
        .selectFrom('tasks')
        .select(['status', 'position', 'task'])
        .where('cluster', '=', cluster)
        .where('operation', '=', operationId)
        .orderBy('position')
        .orderBy('task')
        .limit(limit + 1);
      // Names of phases and hosts are DNS labels: nothing in them acts in a pattern.
      if (phase !== undefined) query = query.where('task', 'like', `${phase}:${host ?? '%'}`);
      else if (host !== undefined) query = query.where('task', 'like', `%:${host}`);
      if (state !== undefined) query = query.where('state', '=', state);
      if (after !== undefined) {
        query = query.where((where) =>
          where.or([
            where('position', '>', after.position),
            where.and([where('position', '=', after.position), where('task', '>', after.task)]),
          ]),
        );
      }
      const rows = await query.execute();
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      return {
        items: page.map(({ status }) => JSON.parse(status) as TaskStatus),
        next: rows.length > limit && last ? { position: last.position, task: last.task } : null,
      };
    },
    async counts({ cluster, operationId }) {
      return (await countsOf(db, cluster, [operationId])).get(operationId) ?? {};
    },
  };
}
