import { type Kysely, sql } from 'kysely';
import { LIMITS } from '../contracts/limits.ts';
import type { Change, OperationStatus, TaskResult, TaskStatus } from '../contracts/operation.ts';
import type { TaskChanges } from '../contracts/status.ts';
import { chainOf } from './journal-record.ts';
import { packed, unpacked } from './packed.ts';
import type { Tables } from './schema.ts';

/** One start of a task. */
export interface TaskRound {
  cluster: string;
  operationId: string;
  phase: string;
  host: string;
  /** From 1. */
  round: number;
}

/** What each task changed, or in a dry run would change. Removed with its operation. */
export interface TaskChangesStore {
  /** Keep what a task found at its end. Repeated by a further attempt of the same round, it replaces what is stored. */
  save(task: TaskRound, found: Pick<TaskResult, 'changes' | 'changeCount'>): Promise<void>;
  /**
   * Of these tasks, in their order; tasks without a change are left out. A task that stored nothing (it has not ended well, or an
   * earlier version ran it) has what its commands changed according to the journal.
   */
  of(
    operation: Pick<OperationStatus, 'cluster' | 'operationId' | 'mode'>,
    tasks: readonly Pick<TaskStatus, 'phase' | 'host'>[],
  ): Promise<TaskChanges[]>;
}

type Found = Pick<TaskChanges, 'changes' | 'changeCount'>;
type Operation = Pick<OperationStatus, 'cluster' | 'operationId'>;

/** Tasks of one statement: below the limits of bound values of PostgreSQL and SQLite. */
const TASKS = 500;

const keyOf = ({ phase, host }: Pick<TaskStatus, 'phase' | 'host'>): string => `${phase}:${host}`;

export function taskChangesStore(db: Kysely<Tables>): TaskChangesStore {
  return {
    async save({ cluster, operationId, round, ...task }, { changes, changeCount }) {
      const key = { cluster, operation: operationId, task: keyOf(task), round };
      const kept = { change_count: changeCount, data: packed(changes.slice(0, LIMITS.changesPerTask)) };
      await db
        .insertInto('task_changes')
        .values({ ...key, ...kept })
        .onConflict((conflict) => conflict.columns(['cluster', 'operation', 'task', 'round']).doUpdateSet(kept))
        .execute();
    },
    async of(operation, tasks) {
      const found: TaskChanges[] = [];
      for (let from = 0; from < tasks.length; from += TASKS) {
        const some = tasks.slice(from, from + TASKS);
        const stored = await storedOf(db, operation, some.map(keyOf));
        const missing = operation.mode === 'check' ? [] : some.map(keyOf).filter((task) => !stored.has(task));
        const journaled = await journaledOf(db, operation, missing);
        for (const { phase, host } of some) {
          const key = keyOf({ phase, host });
          const what = stored.get(key) ?? journaled.get(key);
          if (what && what.changeCount > 0) found.push({ phase, host, ...what });
        }
      }
      return found;
    },
  };
}

async function storedOf(db: Kysely<Tables>, { cluster, operationId }: Operation, tasks: readonly string[]) {
  const found = new Map<string, Found>();
  const rows = await db
    .selectFrom('task_changes')
    .select(['task', 'change_count', 'data'])
    .where('cluster', '=', cluster)
    .where('operation', '=', operationId)
    .where('task', 'in', tasks)
    .orderBy('round')
    .execute();
  for (const { task, change_count, data } of rows) add(found, task, unpacked(data) as Change[], change_count);
  return found;
}

/** What commands that ended well, and hooks, changed. By the operation's chain: the journal has no index of operations. */
async function journaledOf(db: Kysely<Tables>, { cluster, operationId }: Operation, tasks: readonly string[]) {
  const found = new Map<string, Found>();
  if (tasks.length === 0) return found;
  const task = sql<string>`journal.phase || ':' || journal.host`;
  const rows = await db
    .selectFrom('links')
    .innerJoin('journal', 'journal.id', 'links.record')
    .select(['journal.changes', task.as('task')])
    .where('links.chain', '=', chainOf({ cluster, operation: operationId }))
    .where('links.part', '=', 'begin')
    .where('journal.changes', 'is not', null)
    .where('journal.result', '=', 'ok')
    .where(task, 'in', tasks)
    .orderBy('links.n')
    .execute();
  for (const row of rows) {
    const changes = JSON.parse(row.changes ?? '[]') as Change[];
    add(found, row.task, changes, changes.length);
  }
  return found;
}

function add(to: Map<string, Found>, task: string, changes: readonly Change[], changeCount: number): void {
  const before = to.get(task) ?? { changes: [], changeCount: 0 };
  to.set(task, {
    changes: [...before.changes, ...changes].slice(0, LIMITS.changesPerTask),
    changeCount: before.changeCount + changeCount,
  });
}
