import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createReconciler, type Reconciler } from '../../../api/reconciler.ts';
import type { OperationStatus } from '../../../contracts/operation.ts';
import { spec as document } from '../store/sample-spec.ts';
import { type TestApi, testApi } from './support.ts';

describe('operations that Temporal has lost', () => {
  let api: TestApi;
  let reconciler: Reconciler;
  const save = async (operationId: string, state: OperationStatus['state'], more: Partial<OperationStatus> = {}) =>
    api.store.projections.saveOperation({
      operationId,
      cluster: 'demo',
      kind: 'build',
      mode: 'apply',
      state,
      actor: 'admin',
      specRef: await api.store.specs.put(document('demo')),
      queuedAt: '2026-11-21T12:00:00.000Z',
      ...(state === 'queued' ? {} : { startedAt: '2026-11-21T12:00:01.000Z' }),
      tasks: [],
      blockedHosts: [],
      quarantinedHosts: [],
      ...more,
    });
  beforeEach(async () => {
    api = await testApi();
    reconciler = createReconciler({ store: api.store, temporal: api.temporal, graceMs: -1_000 });
  });
  afterEach(() => api.close());

  it('are closed as lost, with a record, and sealed; others are not changed', async () => {
    await save('op-1', 'blocked', {
      blockedHosts: ['cp-1'],
      tasks: [{ phase: 'prepare', host: 'cp-1', state: 'running', attempt: 1, decision: 0 }],
    });
    await save('op-2', 'queued');
    await save('op-3', 'queued');
    await save('op-0', 'succeeded');
    api.temporal.live = new Set(['op-3']);
    expect(await reconciler.sweep()).toEqual([
      { cluster: 'demo', operationId: 'op-1' },
      { cluster: 'demo', operationId: 'op-2' },
    ]);
    const { body } = await api.call('GET', '/clusters/demo/operations/op-1');
    expect(body).toMatchObject({ state: 'lost', blockedHosts: [], error: { code: 'OPERATION_LOST' } });
    expect((body['tasks'] as { state: string }[]).map(({ state }) => state)).toEqual(['cancelled']);
    expect((await api.call('GET', '/clusters/demo/operations/op-3')).body['state']).toBe('queued');
    expect((await api.call('GET', '/clusters/demo/operations/op-0')).body['state']).toBe('succeeded');
    const history = await api.call('GET', '/clusters/demo/history?operation=op-1&kind=operation');
    expect(history.text).toContain('lost');
    const bundle = await api.deps.bundleBuilder.bundle('demo', 'op-1');
    expect(bundle.size).toBeGreaterThan(0);
    // Nothing is left for the next look.
    api.temporal.live = new Set(['op-3']);
    expect(await reconciler.sweep()).toEqual([]);
  });

  it('leave the cluster incomplete, and it can be built again with its known hosts', async () => {
    await save('op-5', 'running', {
      quarantinedHosts: ['w-2'],
      quarantine: [
        {
          host: 'w-2',
          since: '2026-11-21T12:00:00.000Z',
          by: 'admin',
          why: 'dead',
          phase: 'prepare',
          operationId: 'op-5',
        },
      ],
    });
    await reconciler.sweep();
    await api.store.credentials.put('key', { kind: 'password', password: 'secret-word' });
    expect((await api.call('GET', '/clusters/demo')).body['state']).toBe('incomplete');
    const again = await api.call('POST', '/clusters/demo/operations', { body: { kind: 'build' } });
    expect(again.status).toBe(202);
    expect(api.temporal.states.at(-1)).toMatchObject({
      requests: [{ operationId: 'op-5' }],
      quarantine: [{ host: 'w-2', why: 'dead' }],
    });
  });

  it('and operations that only Temporal has are cancelled there, with a record', async () => {
    await save('op-1', 'running');
    api.temporal.live = new Set(['op-1']);
    api.temporal.running = [
      { cluster: 'demo', operationId: 'op-1' },
      { cluster: 'demo', operationId: 'op-9' },
    ];
    expect(await reconciler.sweep()).toEqual([]);
    expect(api.temporal.commands).toEqual([{ type: 'cancelWorkflow', cluster: 'demo', operation: 'op-9' }]);
    const { items } = await api.store.journal.list({ cluster: 'demo', operation: 'op-9', limit: 10 });
    expect(items.map(({ argv, actor }) => [actor, ...argv])).toEqual([['kubewright', 'cancel', 'unknown']]);
  });

  it('are not judged while no worker, or no Temporal, answers', async () => {
    await save('op-1', 'running');
    api.temporal.live = null;
    expect(await reconciler.sweep()).toEqual([]);
    api.temporal.down = true;
    await expect(reconciler.sweep()).rejects.toMatchObject({ code: 'TEMPORAL_UNAVAILABLE' });
    expect((await api.store.projections.operation('demo', 'op-1'))?.state).toBe('running');
  });

  it('are not judged while their status is young', async () => {
    await save('op-1', 'queued');
    expect(await createReconciler({ store: api.store, temporal: api.temporal }).sweep()).toEqual([]);
  });
});
