import { expect, it } from 'vitest';
import type { OperationStatus } from '../../../contracts/operation.ts';
import type { Store } from '../../../store/index.ts';

/** What every engine must know of hosts in quarantine. `at` gives the store and a status of the cluster to save. */
export function quarantineContract(
  at: (cluster: string, more: Partial<OperationStatus>) => Promise<{ store: Store; status: OperationStatus }>,
): void {
  it('show the hosts in quarantine, and that a cluster without them is degraded', async () => {
    const cluster = 'with-quarantine';
    const save = async (more: Partial<OperationStatus>) => {
      const { store, status } = await at(cluster, more);
      await store.projections.saveOperation(status);
      return store.projections;
    };
    const out = { host: 'w-1', since: 't', by: 'policy', why: 'dead', phase: 'etcd', operationId: 'op-1' };
    const left = { quarantine: [out], quarantinedHosts: ['w-1'] };
    const projections = await save({ ...left, state: 'running' });
    expect(await projections.activeOperation(cluster)).toMatchObject({ operationId: 'op-1', state: 'running' });
    await save({ ...left, state: 'succeeded' });
    expect(await projections.quarantine(cluster)).toEqual([out]);
    expect(await projections.cluster(cluster)).toMatchObject({ state: 'degraded' });
    expect(await projections.activeOperation(cluster)).toBeNull();
    const heal = { operationId: 'op-2', kind: 'heal' as const };
    // Neither a waiting operation nor a check determines the state of the cluster, and a heal that fails leaves it as it was.
    await save({ ...heal, state: 'queued', quarantine: [] });
    await save({ operationId: 'c', mode: 'check', quarantine: [] });
    expect(await projections.quarantine(cluster)).toEqual([out]);
    await save({ ...heal, ...left, state: 'failed' });
    expect(await projections.cluster(cluster)).toMatchObject({ state: 'degraded' });
    const healed = { ...heal, operationId: 'op-3', state: 'succeeded' as const, quarantine: [] };
    await save(healed);
    expect(await projections.quarantine(cluster)).toEqual([]);
    expect(await projections.cluster(cluster)).toMatchObject({ state: 'ready' });
  });
}
