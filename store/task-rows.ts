import type { Kysely } from 'kysely';
import { LIMITS } from '../contracts/limits.ts';
import type { OperationStatus, TaskState, TaskStatus } from '../contracts/operation.ts';
import type { TaskChange } from './changes.ts';
import type { Tables } from './schema.ts';

/** Rows of 6 values in one statement: below the limits of bound values of PostgreSQL and SQLite. */
const ROWS = 500;
type Operation = Pick<OperationStatus, 'cluster' | 'operationId'>;

/** How many tasks are in which state; states without tasks are absent. */
export type TaskCounts = Partial<Record<TaskState, number>>;

/** Keep tasks that differ from what is stored; returns those. Tasks that are not given stay as they are. */
export async function saveTasks(
  db: Kysely<Tables>,
  { cluster, operationId }: Operation,
  tasks: readonly TaskStatus[],
): Promise<TaskChange[]> {
  const changes: TaskChange[] = [];
  for (const some of chunks(tasks, ROWS)) {
    const stored = await db
      .selectFrom('tasks')
      .select(['task', 'position', 'status'])
      .where('cluster', '=', cluster)
      .where('operation', '=', operationId)
      .where('task', 'in', some.map(keyOf))
      .execute();
    const known = new Map(stored.map((row) => [row.task, row]));
    let next = known.size === some.length ? 0 : await countOf(db, { cluster, operationId });
    const rows = some.flatMap((task) => {
      const before = known.get(keyOf(task));
      const status = JSON.stringify(task);
      if (before?.status === status) return [];
      changes.push({ task, known: before !== undefined });
      const position = before?.position ?? next++;
      return { cluster, operation: operationId, task: keyOf(task), position, state: task.state, status };
    });
    if (rows.length === 0) continue;
    await db
      .insertInto('tasks')
      .values(rows)
      .onConflict((conflict) =>
        conflict.columns(['cluster', 'operation', 'task']).doUpdateSet((row) => ({
          state: row.ref('excluded.state'),
          status: row.ref('excluded.status'),
        })),
      )
      .execute();
  }
  return changes;
}

/** The operation has ended: what still waits or runs in our books was cancelled, what waits for a decision has failed. */
export async function endTasks(db: Kysely<Tables>, operation: Operation): Promise<TaskChange[]> {
  const rows = await db
    .selectFrom('tasks')
    .select('status')
    .where('cluster', '=', operation.cluster)
    .where('operation', '=', operation.operationId)
    .where('state', 'in', Object.keys(ENDS))
    .orderBy('position')
    .execute();
  const ended = rows.map((row) => {
    const task = JSON.parse(row.status) as TaskStatus;
    return { ...task, state: ENDS[task.state] ?? task.state };
  });
  return await saveTasks(db, operation, ended);
}

/** What becomes of a task that has not ended when its operation ends. */
const ENDS: Partial<Record<TaskState, TaskState>> = { pending: 'cancelled', running: 'cancelled', blocked: 'failed' };

/** The tasks of an operation, in the order of its plan. */
export async function tasksOf(db: Kysely<Tables>, { cluster, operationId }: Operation): Promise<TaskStatus[]> {
  const rows = await db
    .selectFrom('tasks')
    .select('status')
    .where('cluster', '=', cluster)
    .where('operation', '=', operationId)
    .orderBy('position')
    .execute();
  return rows.map((row) => JSON.parse(row.status) as TaskStatus);
}

/** Tasks and their counts, per operation; of operations with more tasks than a page of operations could hold the counts only. */
export async function listedTasks(
  db: Kysely<Tables>,
  cluster: string,
  operationIds: readonly string[],
): Promise<Map<string, { tasks: TaskStatus[]; taskCounts: TaskCounts }>> {
  const counted = await countsOf(db, cluster, operationIds);
  const found = new Map<string, { tasks: TaskStatus[]; taskCounts: TaskCounts }>();
  for (const operationId of operationIds) {
    const taskCounts = counted.get(operationId) ?? {};
    const total = Object.values(taskCounts).reduce((sum, count) => sum + count, 0);
    const tasks = total > LIMITS.tasksInline ? [] : await tasksOf(db, { cluster, operationId });
    found.set(operationId, { tasks, taskCounts });
  }
  return found;
}

export async function countsOf(
  db: Kysely<Tables>,
  cluster: string,
  operationIds: readonly string[],
): Promise<Map<string, TaskCounts>> {
  if (operationIds.length === 0) return new Map();
  const rows = await db
    .selectFrom('tasks')
    .select((row) => ['operation', 'state', row.fn.countAll().as('count')])
    .where('cluster', '=', cluster)
    .where('operation', 'in', operationIds)
    .groupBy(['operation', 'state'])
    .execute();
  const counts = new Map<string, TaskCounts>();
  for (const { operation, state, count } of rows) {
    counts.set(operation, { ...counts.get(operation), [state]: Number(count) });
  }
  return counts;
}

async function countOf(db: Kysely<Tables>, { cluster, operationId }: Operation): Promise<number> {
  const { count } = await db
    .selectFrom('tasks')
    .select((row) => row.fn.countAll().as('count'))
    .where('cluster', '=', cluster)
    .where('operation', '=', operationId)
    .executeTakeFirstOrThrow();
  return Number(count);
}

const keyOf = ({ phase, host }: TaskStatus): string => `${phase}:${host}`;

function* chunks<Item>(items: readonly Item[], size: number): Iterable<Item[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}
