import { describe, expect, it } from 'vitest';
import type { Change, OperationStatus, TaskStatus } from '../../../contracts/operation.ts';
import type { Store } from '../../../store/index.ts';
import type { TaskPlace, TaskQuery } from '../../../store/task-pages.ts';
import { begun, ended } from './journal-contract.ts';

const change = (n: number): Change => ({ resource: `file:/etc/${n}`, action: 'create', detail: 'new' });
const task = (phase: string, host: string, state: TaskStatus['state'] = 'succeeded'): TaskStatus => ({
  ...{ phase, host, state, attempt: 1, decision: 0 },
});

/** What every engine must answer of tasks. `at` gives the store and a status of the cluster to save. */
export function tasksContract(
  at: (cluster: string, more: Partial<OperationStatus>) => Promise<{ store: Store; status: OperationStatus }>,
): void {
  const saved = async (cluster: string, more: Partial<OperationStatus>) => {
    const { store, status } = await at(cluster, more);
    await store.projections.saveOperation(status);
    return { store, operation: { cluster, operationId: status.operationId, mode: status.mode } };
  };

  describe('pages of tasks', () => {
    it('have every task once, in the order of the plan, while states change', async () => {
      const hosts = Array.from({ length: 23 }, (_, n) => `w-${n}`);
      const all = ['b-first', 'a-second'].flatMap((phase) => hosts.map((host) => task(phase, host, 'pending')));
      const { store, operation } = await saved('paged', { tasks: all });
      const seen: string[] = [];
      let after: TaskPlace | undefined;
      do {
        const { items, next } = await store.tasks.page(operation, { limit: 7, after });
        seen.push(...items.map(({ phase, host }) => `${phase}:${host}`));
        await store.projections.saveTasks('paged', operation.operationId, [task('b-first', `w-${seen.length % 23}`)]);
        after = next ?? undefined;
      } while (after);
      expect(seen).toEqual(all.map(({ phase, host }) => `${phase}:${host}`));
      expect(await store.tasks.counts(operation)).toEqual({ pending: 39, succeeded: 7 });
      expect(await store.tasks.head('paged', operation.operationId)).not.toHaveProperty('tasks');
      expect(await store.tasks.head('paged', 'absent')).toBeNull();
    });

    it('are of one phase, one host, one state, or all three', async () => {
      const tasks = [
        task('etcd', 'cp-1'),
        task('etcd', 'cp-2', 'blocked'),
        task('etcd-x', 'cp-1'),
        task('x', 'x-cp-1'),
      ];
      const { store, operation } = await saved('filtered', { tasks });
      await saved('filtered-too', { tasks: [task('etcd', 'cp-9')] });
      const names = async (query: Partial<TaskQuery>) =>
        (await store.tasks.page(operation, { limit: 10, ...query })).items.map(({ phase, host }) => `${phase}:${host}`);
      expect(await names({ phase: 'etcd' })).toEqual(['etcd:cp-1', 'etcd:cp-2']);
      expect(await names({ host: 'cp-1' })).toEqual(['etcd:cp-1', 'etcd-x:cp-1']);
      expect(await names({ phase: 'etcd', host: 'cp-1' })).toEqual(['etcd:cp-1']);
      expect(await names({ state: 'blocked' })).toEqual(['etcd:cp-2']);
      expect(await names({ state: 'blocked', host: 'cp-1' })).toEqual([]);
    });
  });

  describe('changes of tasks', () => {
    it('are kept per start of a task, shown together, and bounded; a repeated attempt replaces its own', async () => {
      const { store, operation } = await saved('changed', {});
      const of = (phase: string, round = 1) => ({ ...operation, phase, host: 'cp-1', round });
      const many = Array.from({ length: 300 }, (_, n) => change(n));
      await store.taskChanges.save(of('etcd'), { changes: [change(8)], changeCount: 1 });
      await store.taskChanges.save(of('etcd'), { changes: [change(1)], changeCount: 1 });
      await store.taskChanges.save(of('etcd', 2), { changes: [change(2), change(3)], changeCount: 2 });
      await store.taskChanges.save(of('master'), { changes: many, changeCount: 300 });
      const tasks = ['master', 'flannel', 'etcd'].map((phase) => task(phase, 'cp-1'));
      expect(await store.taskChanges.of(operation, tasks)).toEqual([
        { phase: 'master', host: 'cp-1', changes: many.slice(0, 200), changeCount: 300 },
        { phase: 'etcd', host: 'cp-1', changes: [change(1), change(2), change(3)], changeCount: 3 },
      ]);
      expect(await store.taskChanges.of({ ...operation, operationId: 'other' }, tasks)).toEqual([]);
    });

    it('of a task that kept none, as one of an earlier version, are what its commands changed by the journal', async () => {
      const { store, operation } = await saved('earlier', {});
      const record = (phase: string, changes: Change[], end = {}, operationId = 'op-1') =>
        store.journal.record(begun('earlier', { operation: operationId, phase, changes }), ended(end));
      await record('etcd', [change(1)]);
      await record('etcd', [change(2)], { code: 1, error: 'COMMAND_FAILED' });
      await record('etcd', [change(3), change(4)]);
      await record('etcd', [change(5)], {}, 'op-2');
      await record('master', [change(6)]);
      await store.taskChanges.save(
        { ...operation, phase: 'master', host: 'cp-1', round: 1 },
        { changes: [change(7)], changeCount: 1 },
      );
      const tasks = [task('etcd', 'cp-1'), task('master', 'cp-1'), task('etcd', 'cp-2')];
      expect(await store.taskChanges.of(operation, tasks)).toEqual([
        { phase: 'etcd', host: 'cp-1', changes: [change(1), change(3), change(4)], changeCount: 3 },
        { phase: 'master', host: 'cp-1', changes: [change(7)], changeCount: 1 },
      ]);
    });
  });
}
