import { describe, expect, it } from 'vitest';
import type { OperationStatus, TaskStatus } from '../../../contracts/operation.ts';
import type { Store } from '../../../store/index.ts';

type Status = (cluster: string, more?: Partial<OperationStatus>) => Promise<OperationStatus>;

const task = (state: TaskStatus['state'], more: Partial<TaskStatus> = {}): TaskStatus => ({
  ...{ phase: 'etcd', host: 'cp-1', attempt: 1, decision: 0 },
  state,
  ...more,
});

/** The log of events: the same on every engine. */
export function eventsContract(
  store: () => Store,
  { unique, status }: { unique: (prefix: string) => string; status: Status },
): void {
  describe('events', () => {
    it('send changes to followers, resumable by id', async () => {
      const cluster = unique('events');
      const heard: string[] = [];
      const stop = store().projections.onChange((name) => heard.push(name));
      await store().projections.saveOperation(await status(cluster, { tasks: [task('pending')] }));
      await store().projections.saveOperation(await status(cluster, { tasks: [task('running')] }));
      await store().projections.saveOperation(await status(cluster, { tasks: [task('running')] }));
      await store().projections.saveOperation(
        await status(cluster, { state: 'succeeded', tasks: [task('succeeded', { changeCount: 3 })] }),
      );
      stop();
      const only = { clusters: [cluster] };
      const all = await store().events.list(only, '', 100);
      expect(all.map(({ event }) => [event.type, event.data.state])).toEqual([
        ['operation', 'running'],
        ['task', 'running'],
        ['task', 'succeeded'],
        ['operation', 'succeeded'],
      ]);
      expect(await store().events.list(only, all[1]!.id, 100)).toEqual(all.slice(2));
      expect(await store().events.list({ ...only, types: ['task'] }, '', 100)).toEqual([all[1], all[2]]);
      expect(await store().events.list({ clusters: [] }, '', 100)).toEqual([]);
      expect(await store().events.last()).toBe(all[3]!.id);
      expect(heard.filter((name) => name === cluster)).toHaveLength(4);
    });

    it('have ids in the order of commits, when many write at once', async () => {
      const clusters = Array.from({ length: 4 }, () => unique('order'));
      const begin = await store().events.last();
      let over = false;
      const seen: string[] = [];
      const reading = (async () => {
        for (let last = begin; ; ) {
          const ended = over;
          const found = await store().events.list({ clusters }, last, 7);
          seen.push(...found.map(({ id }) => id));
          last = found.at(-1)?.id ?? last;
          if (ended && found.length === 0) return;
        }
      })();
      await Promise.all(
        clusters.map(async (cluster) => {
          for (let version = 0; version < 15; version += 1) {
            await store().projections.saveOperation(await status(cluster, { blockedHosts: [`host-${version}`] }));
          }
        }),
      );
      over = true;
      await reading;
      const all = await store().events.list({ clusters }, begin, 1_000);
      expect(all).toHaveLength(60);
      expect(seen).toEqual(all.map(({ id }) => id));
    });
  });
}
