import { Context, heartbeat } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTOR, Harness, refusalOf } from '../support/temporal-harness.ts';
import { everyHost, sameHost } from '../support/temporal-plan.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.create();
  await harness.work();
});
afterAll(async () => {
  await harness?.close();
});

const HOSTS = ['h1', 'h2', 'h3'];
const chain = () =>
  harness.cluster([
    { name: 'one', hosts: HOSTS },
    { name: 'two', hosts: HOSTS, needs: [sameHost('one')] },
    { name: 'three', hosts: ['h1'], needs: [everyHost('two')] },
  ]);

describe('an operation', () => {
  it('runs every task once, in the order of needs, and writes its end', async () => {
    const cluster = chain();
    const { operationId, created } = await cluster.submit();
    expect(created).toBe(true);
    expect(await cluster.result(operationId)).toEqual({ state: 'succeeded', changeCount: 7, quarantine: [] });

    const { attempts, closed, statuses } = cluster.world;
    expect([...attempts].sort()).toEqual(['one:h1', 'one:h2', 'one:h3', 'three:h1', 'two:h1', 'two:h2', 'two:h3']);
    expect(attempts.at(-1)).toBe('three:h1');
    for (const host of HOSTS) expect(attempts.indexOf(`one:${host}`)).toBeLessThan(attempts.indexOf(`two:${host}`));
    expect(statuses[0]).toMatchObject({ operationId, state: 'queued' });
    expect(closed).toHaveLength(1);
    expect(closed[0]).toMatchObject({ operationId, state: 'succeeded', blockedHosts: [], actor: 'tester' });
    expect(closed[0]!.tasks.every((task) => task.state === 'succeeded' && task.changeCount === 1)).toBe(true);
    expect(closed[0]!.queuedAt).toBeDefined();
  });

  it('blocks a failing host while the others go on, and finishes after a retry with the corrected spec', async () => {
    const cluster = chain();
    cluster.world.failing('one:h2', 'SSH_UNREACHABLE');
    const { operationId } = await cluster.submit();
    const blocked = await cluster.projected((status) => status.state === 'blocked');
    expect(blocked.blockedHosts).toEqual(['h2']);
    const task = blocked.tasks.find((each) => each.phase === 'one' && each.host === 'h2')!;
    expect(task).toMatchObject({ state: 'blocked', error: { code: 'SSH_UNREACHABLE', host: 'h2', phase: 'one' } });
    expect(cluster.world.count('one:h2')).toBe(2);
    expect(cluster.world.finished.map(({ phase, host }) => `${phase}:${host}`).sort()).toEqual([
      'one:h1',
      'one:h3',
      'two:h1',
      'two:h3',
    ]);
    expect(await refusalOf(cluster.retry('h1'))).toBe('HOST_NOT_BLOCKED');

    cluster.world.working('one:h2');
    await cluster.retry('h2', 'b'.repeat(64));
    expect((await cluster.result(operationId)).state).toBe('succeeded');
    const again = cluster.world.finished.filter(({ host }) => host === 'h2');
    expect(again.map(({ decision, specRef }) => ({ decision, specRef }))).toEqual([
      { decision: 1, specRef: 'b'.repeat(64) },
      { decision: 0, specRef: 'b'.repeat(64) },
    ]);
    expect(cluster.world.count('one:h1')).toBe(1);
    expect(cluster.world.closed[0]!.specRef).toBe('b'.repeat(64));
  });

  it('does not repeat what is not retryable', async () => {
    const cluster = chain();
    cluster.world.failing('one:h3', 'SSH_AUTH_FAILED', true);
    await cluster.submit();
    await cluster.projected((status) => status.state === 'blocked');
    expect(cluster.world.count('one:h3')).toBe(1);
    await cluster.cancel();
  });

  it('does not count attempts against a host whose workers were lost', async () => {
    const cluster = chain();
    cluster.world.plan = { heartbeatTimeoutMs: 300 };
    const silent = Promise.withResolvers<void>();
    // Five workers say nothing any more; a task has two attempts.
    cluster.world.on('one:h2', () => (cluster.world.count('one:h2') <= 5 ? silent.promise : Promise.resolve()));
    const { operationId } = await cluster.submit();
    expect((await cluster.result(operationId)).state).toBe('succeeded');
    silent.resolve();
    expect(cluster.world.count('one:h2')).toBe(6);
    const rounds = cluster.world.finished.filter(({ host, phase }) => `${phase}:${host}` === 'one:h2');
    expect(rounds.at(-1)).toMatchObject({ round: 3, decision: 0 });
    expect(cluster.world.statuses.some(({ state }) => state === 'blocked')).toBe(false);
  });

  it('a task that takes down every worker asks for a decision in the end', async () => {
    const cluster = harness.cluster([{ name: 'one', hosts: ['h1'] }]);
    cluster.world.plan = {
      heartbeatTimeoutMs: 300,
      retry: { maximumAttempts: 1, initialIntervalMs: 1, maximumIntervalMs: 1, backoffCoefficient: 1 },
    };
    const silent = Promise.withResolvers<void>();
    cluster.world.on('one:h1', () => silent.promise);
    await cluster.submit();
    const blocked = await cluster.projected((status) => status.state === 'blocked');
    silent.resolve();
    expect(cluster.world.count('one:h1')).toBe(6);
    expect(blocked.tasks[0]).toMatchObject({
      attempt: 6,
      error: { message: expect.stringMatching(/stopped answering/) },
    });
    await cluster.cancel();
  });

  it('aborts on a decision: running tasks end first, nothing new starts', async () => {
    const cluster = chain();
    cluster.world.failing('one:h2');
    const open = cluster.world.gate('one:h1');
    const { operationId } = await cluster.submit();
    await cluster.projected((status) => status.blockedHosts.length === 1);
    await cluster.decide({ items: [{ host: 'h2', action: 'abort', actor: ACTOR, requestId: 'r' }] });
    open();
    const result = await cluster.result(operationId);
    expect(result).toMatchObject({ state: 'failed', error: { code: 'OPERATION_ABORTED', host: 'h2' } });
    expect(cluster.world.count('two:h1')).toBe(0);
    const states = new Map(cluster.world.closed[0]!.tasks.map((task) => [`${task.phase}:${task.host}`, task.state]));
    expect(states.get('one:h1')).toBe('succeeded');
    expect(states.get('one:h2')).toBe('failed');
    expect(states.get('two:h2')).toBe('cancelled');
  });

  it('pauses by draining: the running task ends, the next waits for resume', async () => {
    const cluster = chain();
    const open = cluster.world.gate('one:h1');
    const { operationId } = await cluster.submit();
    await cluster.projected((status) => status.tasks.filter((task) => task.state === 'succeeded').length === 4);
    await cluster.pause('drain');
    const pausing = await cluster.projected((status) => status.state === 'pausing');
    expect(pausing.pause).toMatchObject({ by: 'tester', mode: 'drain' });
    open();
    await cluster.projected((status) => status.state === 'paused');
    expect(cluster.world.count('one:h1')).toBe(1);
    expect(cluster.world.count('two:h1')).toBe(0);
    await cluster.resume();
    expect((await cluster.result(operationId)).state).toBe('succeeded');
  });

  it('pauses by interrupting: the running task is cancelled and runs again on resume', async () => {
    const cluster = chain();
    cluster.world.gate('one:h1');
    const { operationId } = await cluster.submit();
    await cluster.projected((status) => status.tasks.filter((task) => task.state === 'succeeded').length === 4);
    await cluster.pause('interrupt');
    const paused = await cluster.projected((status) => status.state === 'paused');
    expect(paused.tasks.find((task) => task.phase === 'one' && task.host === 'h1')).toMatchObject({ state: 'pending' });
    cluster.world.working('one:h1');
    await cluster.resume();
    expect((await cluster.result(operationId)).state).toBe('succeeded');
    expect(cluster.world.count('one:h1')).toBe(2);
    expect(cluster.world.count('one:h2')).toBe(1);
  });

  it('is paused only when nothing runs on any host, even if the interrupted task takes its time or fails of it', async () => {
    const cluster = chain();
    let quiet = (): void => undefined;
    const silence = new Promise<void>((resolve) => {
      quiet = resolve;
    });
    cluster.world.on('one:h1', async () => {
      const beat = setInterval(() => heartbeat(), 50);
      await Context.current().cancelled.catch(() => undefined);
      await silence;
      clearInterval(beat);
      throw ApplicationFailure.create({ type: 'SSH_CONNECTION_LOST', message: 'lost while it was being stopped' });
    });
    const { operationId } = await cluster.submit();
    await cluster.projected((status) => status.tasks.filter((task) => task.state === 'succeeded').length === 4);
    await cluster.pause('interrupt');
    await cluster.projected((status) => status.state === 'pausing');
    quiet();
    const paused = await cluster.projected((status) => status.state !== 'pausing');
    expect(paused).toMatchObject({ state: 'paused', blockedHosts: [] });
    cluster.world.working('one:h1');
    await cluster.resume();
    expect((await cluster.result(operationId)).state).toBe('succeeded');
  });

  it('runs a task again on resume that a drain ended between two commands', async () => {
    const cluster = chain();
    let open = (): void => undefined;
    const commandEnds = new Promise<void>((resolve) => {
      open = resolve;
    });
    cluster.world.on('one:h1', async () => {
      await commandEnds;
      throw ApplicationFailure.nonRetryable('paused before its next command', 'TASK_PAUSED', {
        code: 'TASK_PAUSED',
        message: 'paused before its next command',
      });
    });
    const { operationId } = await cluster.submit();
    await cluster.projected((status) => status.tasks.filter((task) => task.state === 'succeeded').length === 4);
    await cluster.pause('drain');
    await cluster.projected((status) => status.state === 'pausing');
    open();
    await cluster.projected((status) => status.state === 'paused');
    cluster.world.working('one:h1');
    await cluster.resume();
    expect((await cluster.result(operationId)).state).toBe('succeeded');
  });

  it('cancels: running tasks are cancelled, the rest never starts', async () => {
    const cluster = chain();
    cluster.world.gate('one:h1');
    const { operationId } = await cluster.submit();
    await cluster.projected((status) => status.tasks.some((task) => task.state === 'succeeded'));
    await cluster.cancel(operationId);
    expect((await cluster.result(operationId)).state).toBe('cancelled');
    expect(cluster.world.count('two:h1')).toBe(0);
    expect(cluster.world.closed[0]).toMatchObject({ state: 'cancelled' });
  });

  it("takes Temporal's own cancel as ours", async () => {
    const cluster = chain();
    cluster.world.gate('one:h1');
    const { operationId } = await cluster.submit();
    await cluster.projected((status) => status.tasks.some((task) => task.state === 'succeeded'));
    await cluster.operation(operationId).cancel();
    expect((await cluster.result(operationId)).state).toBe('cancelled');
    expect(cluster.world.closed[0]).toMatchObject({ state: 'cancelled' });
  });

  it('fails at once when the plan cannot be made', async () => {
    const cluster = chain();
    const code = 'SPEC_INVALID';
    cluster.world.makePlanFailure = ApplicationFailure.create({
      type: code,
      message: 'no',
      nonRetryable: true,
      details: [{ code, message: 'no' }],
    });
    const { operationId } = await cluster.submit();
    expect(await cluster.result(operationId)).toMatchObject({ state: 'failed', error: { code, message: 'no' } });
    expect(cluster.world.attempts).toEqual([]);
  });
});
