import { expect, it } from 'vitest';
import type { Health } from '../../../contracts/health.ts';
import type { OperationStatus } from '../../../contracts/operation.ts';
import type { Store } from '../../../store/index.ts';

/** What every engine must know of the health of clusters. `at` gives the store and a status of the cluster to save. */
export function healthContract(
  at: (cluster: string, more: Partial<OperationStatus>) => Promise<{ store: Store; status: OperationStatus }>,
): void {
  it('keep the newest health of a cluster, also of a check, and not that of a dry run of another spec', async () => {
    const cluster = 'with-health';
    const save = async (more: Partial<OperationStatus>) => {
      const { store, status } = await at(cluster, more);
      await store.projections.saveOperation(status);
      return store;
    };
    const health = (minute: number, state: Health['state']): Health => ({
      state,
      at: `2026-11-30T12:0${minute}:00.000Z`,
      operationId: 'op',
      reasons: state === 'degraded' ? [{ code: 'DISK_PRESSURE', subject: 'node w-1', reason: 'full' }] : [],
      reasonCount: state === 'degraded' ? 1 : 0,
    });
    // Of a version without health.
    const { projections, statistics } = await save({ state: 'succeeded' });
    expect(await projections.cluster(cluster)).toMatchObject({ state: 'ready', health: null });
    const before = (await statistics.read()).health['degraded'] ?? 0;

    const check = { mode: 'check', kind: 'check', state: 'succeeded' } as const;
    await save({ operationId: 'c-1', ...check, health: health(2, 'degraded') });
    expect(await projections.cluster(cluster)).toMatchObject({ state: 'ready', health: health(2, 'degraded') });
    expect((await statistics.read()).health['degraded']).toBe(before + 1);
    expect(await projections.operation(cluster, 'c-1')).toMatchObject({ health: health(2, 'degraded') });

    await save({ operationId: 'c-2', ...check, health: health(1, 'healthy') });
    await save({ operationId: 'c-3', ...check, specRef: 'e'.repeat(64), health: health(3, 'unknown') });
    expect(await projections.cluster(cluster)).toMatchObject({ health: health(2, 'degraded') });

    await save({ operationId: 'op-2', state: 'succeeded', health: health(4, 'healthy') });
    expect(await projections.cluster(cluster)).toMatchObject({ health: health(4, 'healthy') });
    await save({ operationId: 'op-3', kind: 'teardown', state: 'succeeded' });
    expect(await projections.cluster(cluster)).toMatchObject({ state: 'removed', health: null });
  });
}
