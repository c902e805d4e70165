import { WorkflowNotFoundError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../../contracts/limits.ts';
import { Harness, refusalOf } from '../support/temporal-harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.create();
  await harness.work();
});
afterAll(async () => {
  await harness?.close();
});

const single = () => harness.cluster([{ name: 'one', hosts: ['h1'] }]);

describe('the cluster entity', () => {
  it('takes the same request twice as one operation', async () => {
    const cluster = single();
    const open = cluster.world.gate('one:h1');
    const answers = await Promise.all([1, 2, 3].map(() => cluster.submit({ requestId: 'same' })));
    expect(new Set(answers.map(({ operationId }) => operationId)).size).toBe(1);
    open();
    await cluster.result(answers[0]!.operationId);
    expect((await cluster.submit({ requestId: 'same' })).operationId).toBe(answers[0]!.operationId);
    expect(cluster.world.count('one:h1')).toBe(1);
    expect(cluster.world.closed).toHaveLength(1);
  });

  it('refuses a request id that stood for something else', async () => {
    const cluster = single();
    const { operationId } = await cluster.submit({ requestId: 'key' });
    expect(await refusalOf(cluster.submit({ requestId: 'key', specRef: 'b'.repeat(64) }))).toBe(
      'IDEMPOTENCY_KEY_REUSED',
    );
    await cluster.result(operationId);
    expect(cluster.world.closed).toHaveLength(1);
  });

  it('runs one operation at a time, in the order of asking', async () => {
    const cluster = single();
    const open = cluster.world.gate('one:h1');
    const first = await cluster.submit();
    await cluster.until(async () => cluster.world.count('one:h1') === 1);
    const second = await cluster.submit();
    const third = await cluster.submit();
    const status = await cluster.status();
    expect(status.running?.operationId).toBe(first.operationId);
    expect(status.queued.map(({ operationId }) => operationId)).toEqual([second.operationId, third.operationId]);
    expect(await refusalOf(cluster.submit({ ifBusy: 'refuse' }))).toBe('OPERATION_RUNNING');
    expect(await cluster.cancel(second.operationId)).toEqual({ operationId: second.operationId });
    open();
    await cluster.result(third.operationId);
    await cluster.until(async () => (await cluster.status()).running === null);
    const { recent } = await cluster.status();
    expect(recent.map(({ operationId, state }) => [operationId, state])).toEqual([
      [third.operationId, 'succeeded'],
      [first.operationId, 'succeeded'],
      [second.operationId, 'cancelled'],
    ]);
    expect(
      cluster.world.statuses.some((each) => each.operationId === second.operationId && each.state === 'cancelled'),
    );
  });

  it('refuses what needs a running operation when there is none', async () => {
    const cluster = single();
    await cluster.result((await cluster.submit()).operationId);
    await cluster.until(async () => (await cluster.status()).running === null);
    expect(await refusalOf(cluster.cancel())).toBe('CONFLICT');
    expect(await refusalOf(cluster.cancel('0000000000000000'))).toBe('CONFLICT');
    for (const command of [() => cluster.pause('drain'), () => cluster.resume(), () => cluster.retry('h1')]) {
      await expect(command()).rejects.toThrow(WorkflowNotFoundError);
    }
  });

  it('is free again when the operation was terminated in Temporal, and reports it', async () => {
    const cluster = single();
    cluster.world.gate('one:h1');
    const first = await cluster.submit();
    await cluster.until(async () => cluster.world.count('one:h1') === 1);
    await cluster.operation(first.operationId).terminate('test');
    await cluster.until(async () => cluster.world.closed.length === 1);
    expect(cluster.world.closed[0]).toMatchObject({ state: 'failed', error: { code: 'ENDED_OUTSIDE' } });
    cluster.world.working('one:h1');
    expect((await cluster.result((await cluster.submit()).operationId)).state).toBe('succeeded');
  });

  it('takes no more than its queue holds', async () => {
    const cluster = single();
    const open = cluster.world.gate('one:h1');
    await cluster.submit();
    await cluster.until(async () => cluster.world.count('one:h1') === 1);
    for (let index = 0; index < LIMITS.queuedOperations; index++) await cluster.submit();
    expect(await refusalOf(cluster.submit())).toBe('CONFLICT');
    const { queued } = await cluster.status();
    for (const { operationId } of queued) await cluster.cancel(operationId);
    open();
  });
});
