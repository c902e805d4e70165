import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batchWorkflowId } from '../../contracts/messages.ts';
import type { OperationStatus } from '../../contracts/operation.ts';
import { type ClusterHandle, Harness } from '../support/temporal-harness.ts';
import { anyHost, everyHost, sameHost } from '../support/temporal-plan.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.create();
  await harness.work();
});
afterAll(async () => {
  await harness?.close();
});

const WORKERS = Array.from({ length: 12 }, (_, index) => `w${index + 1}`);
const ALL = ['cp', ...WORKERS];

/** 28 tasks: four on the control plane stay with the operation, the workers go in three batches of four hosts. */
function large(more: ClusterHandle['world']['plan'] = {}): ClusterHandle {
  const cluster = harness.cluster([
    { name: 'one', hosts: ALL },
    { name: 'two', hosts: ['cp'], needs: [sameHost('one')] },
    { name: 'three', hosts: ALL, needs: [sameHost('one'), anyHost('two')] },
    { name: 'four', hosts: ['cp'], needs: [everyHost('three')] },
  ]);
  cluster.world.plan = { tasksPerWorkflow: 8, ...more };
  return cluster;
}

const taskOf = (status: OperationStatus, name: string) =>
  status.tasks.find(({ phase, host }) => `${phase}:${host}` === name)!;
const batch = (cluster: ClusterHandle, operationId: string, index: number, run = 0) =>
  harness.client.workflow.getHandle(batchWorkflowId(cluster.name, operationId, index, run));
const stateOf = async (cluster: ClusterHandle, operationId: string, index: number) =>
  (await batch(cluster, operationId, index).describe()).status.name;

describe('an operation of many tasks', () => {
  it('runs in batches: every task once, in the order of needs, with a complete status at the end', async () => {
    const cluster = large();
    const { operationId } = await cluster.submit();
    expect(await cluster.result(operationId)).toMatchObject({ state: 'succeeded', changeCount: 28 });
    const { attempts, closed } = cluster.world;
    expect([...attempts].sort()).toEqual([...new Set(attempts)].sort());
    expect(attempts).toHaveLength(28);
    for (const host of WORKERS) {
      expect(attempts.indexOf(`one:${host}`)).toBeLessThan(attempts.indexOf(`three:${host}`));
      expect(attempts.indexOf('two:cp')).toBeLessThan(attempts.indexOf(`three:${host}`));
    }
    expect(attempts.at(-1)).toBe('four:cp');
    expect(closed[0]!.tasks.map(({ phase, host }) => `${phase}:${host}`)).toEqual([
      ...ALL.map((host) => `one:${host}`),
      'two:cp',
      ...ALL.map((host) => `three:${host}`),
      'four:cp',
    ]);
    expect(closed[0]!.tasks.every((task) => task.state === 'succeeded' && task.changeCount === 1)).toBe(true);
    for (const index of [0, 1, 2]) expect(await stateOf(cluster, operationId, index)).toBe('COMPLETED');
  });

  it('keeps the limit of tasks at once over all batches', async () => {
    const cluster = large({ maxParallel: 4 });
    let running = 0;
    let most = 0;
    for (const task of [...ALL.map((host) => `one:${host}`), ...ALL.map((host) => `three:${host}`)]) {
      cluster.world.on(task, async () => {
        running += 1;
        most = Math.max(most, running);
        await sleep(20);
        running -= 1;
      });
    }
    const { operationId } = await cluster.submit();
    expect((await cluster.result(operationId)).state).toBe('succeeded');
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(4);
  });

  it('blocks a host of a batch while all others go on, and finishes after a retry with the corrected spec', async () => {
    const cluster = large();
    cluster.world.failing('one:w6', 'SSH_UNREACHABLE');
    const { operationId } = await cluster.submit();
    const blocked = await cluster.projected((status) => status.state === 'blocked');
    expect(blocked.blockedHosts).toEqual(['w6']);
    expect(taskOf(blocked, 'one:w6')).toMatchObject({
      state: 'blocked',
      error: { code: 'SSH_UNREACHABLE', host: 'w6' },
    });
    expect(cluster.world.finished).toHaveLength(25);

    cluster.world.working('one:w6');
    await cluster.retry('w6', 'b'.repeat(64));
    expect((await cluster.result(operationId)).state).toBe('succeeded');
    const again = cluster.world.finished.slice(25);
    expect(again.map(({ phase, host, decision }) => [phase, host, decision])).toEqual([
      ['one', 'w6', 1],
      ['three', 'w6', 0],
      ['four', 'cp', 0],
    ]);
    expect(again.every(({ specRef }) => specRef === 'b'.repeat(64))).toBe(true);
  });

  it('continues without an excluded host of a batch', async () => {
    const cluster = large();
    cluster.world.failing('one:w12');
    const { operationId } = await cluster.submit();
    await cluster.projected((status) => status.state === 'blocked');
    await cluster.say('skip', 'w12');
    expect((await cluster.result(operationId)).state).toBe('succeeded');
    const [closed] = cluster.world.closed;
    expect(closed!.tasks.filter(({ host }) => host === 'w12').map(({ state }) => state)).toEqual([
      'skipped',
      'skipped',
    ]);
    expect(closed!.quarantinedHosts).toEqual(['w12']);
    expect(cluster.world.count('four:cp')).toBe(1);
  });

  it('leaves hosts of batches out by policy', async () => {
    const cluster = large({ policy: { onHostFailure: 'quarantine', maxQuarantined: 2 } });
    cluster.world.failing('one:w1');
    cluster.world.failing('three:w9');
    const { operationId } = await cluster.submit();
    expect((await cluster.result(operationId)).state).toBe('succeeded');
    expect(cluster.world.closed[0]!.quarantinedHosts).toEqual(['w1', 'w9']);
  });

  it('lets another machine take the place of a host of a batch', async () => {
    const cluster = large();
    cluster.world.failing('three:w7');
    const { operationId } = await cluster.submit();
    await cluster.projected((status) => status.state === 'blocked');
    cluster.world.working('three:w7');
    await cluster.say('replace', 'w7', { specRef: 'c'.repeat(64) });
    expect((await cluster.result(operationId)).state).toBe('succeeded');
    const own = cluster.world.finished.filter(({ host }) => host === 'w7');
    expect(own.map(({ phase, specRef }) => [phase, specRef[0]])).toEqual([
      ['one', 'a'],
      ['one', 'c'],
      ['three', 'c'],
    ]);
  });

  it('is paused when every batch is, and only then', async () => {
    const cluster = large();
    const opens = ['one:cp', 'one:w1', 'one:w9'].map((task) => cluster.world.gate(task));
    const { operationId } = await cluster.submit();
    await cluster.until(async () => cluster.world.attempts.length === 13);
    await cluster.pause('drain');
    await cluster.projected((status) => status.state === 'pausing');
    opens[0]!();
    opens[1]!();
    await cluster.projected((status) => taskOf(status, 'one:w1').state === 'succeeded');
    expect(cluster.world.statuses.some((status) => status.state === 'paused')).toBe(false);
    opens[2]!();
    const paused = await cluster.projected((status) => status.state === 'paused');
    expect(paused.tasks.some((task) => task.state === 'running')).toBe(false);
    expect(cluster.world.attempts).toHaveLength(13);
    await cluster.resume();
    expect((await cluster.result(operationId)).state).toBe('succeeded');
    expect(cluster.world.attempts).toHaveLength(28);
  });

  it('interrupts the tasks of all batches, and runs them again', async () => {
    const cluster = large();
    const gated = ['one:w1', 'one:w6', 'one:w12'];
    for (const task of gated) cluster.world.gate(task);
    const { operationId } = await cluster.submit();
    await cluster.until(async () => cluster.world.attempts.length === 13 + 1 + 10);
    await cluster.pause('interrupt');
    const paused = await cluster.projected((status) => status.state === 'paused');
    for (const task of gated) expect(taskOf(paused, task).state).toBe('pending');
    for (const task of gated) cluster.world.working(task);
    await cluster.resume();
    expect((await cluster.result(operationId)).state).toBe('succeeded');
    for (const task of gated) expect(cluster.world.count(task)).toBe(2);
    expect(cluster.world.attempts).toHaveLength(31);
  });

  it('ends everywhere when it is cancelled', async () => {
    const cluster = large();
    for (const task of ['one:w1', 'one:w6', 'one:w12']) cluster.world.gate(task);
    const { operationId } = await cluster.submit();
    await cluster.until(async () => cluster.world.attempts.length === 13 + 1 + 10);
    await cluster.cancel(operationId);
    expect((await cluster.result(operationId)).state).toBe('cancelled');
    const states = new Map(cluster.world.closed[0]!.tasks.map((task) => [`${task.phase}:${task.host}`, task.state]));
    expect(states.get('one:w2')).toBe('succeeded');
    for (const task of ['one:w1', 'one:w6', 'three:w12', 'four:cp']) expect(states.get(task)).toBe('cancelled');
    for (const index of [0, 1, 2]) expect(await stateOf(cluster, operationId, index)).toBe('COMPLETED');
  });

  it('asks for a decision when the workflow of a batch is lost, and runs only what was not done', async () => {
    const cluster = large();
    cluster.world.gate('one:w6');
    const { operationId } = await cluster.submit();
    await cluster.until(async () => cluster.world.attempts.length === 13 + 1 + 12);
    await batch(cluster, operationId, 1).terminate('test');
    const blocked = await cluster.projected((status) => status.state === 'blocked');
    expect(blocked.blockedHosts).toContain('w6');
    expect(taskOf(blocked, 'one:w6').error).toMatchObject({ code: 'INTERNAL', host: 'w6' });
    expect(taskOf(blocked, 'one:w6').error!.message).toContain('batch 2');
    cluster.world.working('one:w6');
    for (const host of blocked.blockedHosts) await cluster.retry(host);
    expect((await cluster.result(operationId)).state).toBe('succeeded');
    expect(await batch(cluster, operationId, 1, 1).describe()).toMatchObject({ status: { name: 'COMPLETED' } });
    expect(cluster.world.count('three:w1')).toBe(1);
  });

  it('takes its batches along when it is terminated', async () => {
    const cluster = large();
    for (const task of ['one:w1', 'one:w6', 'one:w12']) cluster.world.gate(task);
    const { operationId } = await cluster.submit();
    await cluster.until(async () => cluster.world.attempts.length === 13 + 1 + 10);
    await cluster.operation(operationId).terminate('test');
    for (const index of [0, 1, 2]) {
      await cluster.until(async () => (await stateOf(cluster, operationId, index)) !== 'RUNNING');
    }
    await cluster.until(async () => cluster.world.closed.length === 1);
    expect(cluster.world.count('three:w1')).toBe(0);
  });
});
