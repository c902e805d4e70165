import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OperationStatus } from '../../contracts/operation.ts';
import type { Plan } from '../../contracts/plan.ts';
import { ACTOR, type ClusterHandle, Harness, refusalOf } from '../support/temporal-harness.ts';
import { everyHost, SPEC_REF, sameHost } from '../support/temporal-plan.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.create();
  await harness.work();
});
afterAll(async () => {
  await harness?.close();
});

const HOSTS = ['h1', 'h2', 'h3', 'h4'];
/** Two phases on every host, then one for the whole cluster on h1, which all others need. */
const four = (plan: Partial<Plan> = {}): ClusterHandle => {
  const cluster = harness.cluster([
    { name: 'one', hosts: HOSTS, admits: ['h2'] },
    { name: 'two', hosts: HOSTS, needs: [sameHost('one')] },
    { name: 'three', hosts: ['h1'], needs: [everyHost('two')], clusterWide: true },
  ]);
  cluster.world.plan = {
    quorum: [
      { what: 'control planes', hosts: ['h1'], least: 1 },
      { what: 'etcd members', hosts: ['h1', 'h2', 'h3'], least: 2 },
    ],
    ...plan,
  };
  return cluster;
};
const OTHER = 'b'.repeat(64);
const blocked = (cluster: ClusterHandle, ...hosts: string[]) =>
  cluster.projected((status) => hosts.every((host) => status.blockedHosts.includes(host)));
const states = (status: OperationStatus, host: string) =>
  status.tasks.filter((task) => task.host === host).map((task) => task.state);
const idle = (cluster: ClusterHandle) => cluster.until(async () => (await cluster.status()).running === null);
/** What a command can leave in history: its update, and tasks that it starts. The status is written a moment later. */
const traces = async (cluster: ClusterHandle, operationId: string) =>
  (await cluster.operation(operationId).fetchHistory()).events!.filter(
    (event) => event.workflowExecutionUpdateAcceptedEventAttributes ?? event.activityTaskScheduledEventAttributes,
  ).length;

describe('skip', () => {
  it('leaves a host out, finishes the rest, and a heal brings in just that host', async () => {
    const cluster = four();
    cluster.world.failing('one:h4', 'SSH_UNREACHABLE');
    const { operationId } = await cluster.submit();
    await blocked(cluster, 'h4');
    await cluster.say('skip', 'h4', { reason: 'the disk is on its way' });
    const result = await cluster.result(operationId);
    expect(result).toMatchObject({ state: 'succeeded', quarantine: [{ host: 'h4', by: 'tester', phase: 'one' }] });
    const end = cluster.world.closed[0]!;
    expect(states(end, 'h4')).toEqual(['skipped', 'skipped']);
    expect(end.quarantinedHosts).toEqual(['h4']);
    expect(end.quarantine).toMatchObject([{ host: 'h4', why: 'the disk is on its way', operationId }]);
    expect(end.decisions).toMatchObject([{ by: 'tester', action: 'skip', host: 'h4' }]);
    expect(cluster.world.count('two:h4')).toBe(0);
    const three = cluster.world.finished.find(({ phase }) => phase === 'three')!;
    expect(three.quarantined).toEqual(['h4']);
    await idle(cluster);
    expect((await cluster.status()).quarantine).toMatchObject([{ host: 'h4' }]);

    // A build goes on without it.
    expect((await cluster.result((await cluster.submit()).operationId)).quarantine).toHaveLength(1);
    await idle(cluster);
    expect(cluster.world.count('two:h4')).toBe(0);

    cluster.world.working('one:h4');
    const before = cluster.world.attempts.length;
    const heal = await cluster.submit({ kind: 'heal' });
    expect(await cluster.result(heal.operationId)).toMatchObject({ state: 'succeeded', quarantine: [] });
    expect(cluster.world.attempts.slice(before)).toEqual(['one:h4', 'two:h4', 'three:h1']);
    expect(cluster.world.finished.at(-1)).toMatchObject({ phase: 'three', kind: 'heal', focus: ['h4'] });
    await idle(cluster);
    expect((await cluster.status()).quarantine).toEqual([]);
    expect(await refusalOf(cluster.submit({ kind: 'heal' }))).toBe('HOST_NOT_QUARANTINED');
  });

  it('of the host of cluster-wide phases has another one do what it had not done', async () => {
    const cluster = harness.cluster([
      { name: 'one', hosts: HOSTS },
      { name: 'two', hosts: ['h1'], standIns: ['h2', 'h3'], needs: [everyHost('one')], clusterWide: true },
      { name: 'three', hosts: ['h1'], standIns: ['h2', 'h3'], needs: [everyHost('two')], clusterWide: true },
      { name: 'four', hosts: ['h4'], needs: [everyHost('three')] },
    ]);
    cluster.world.failing('three:h1', 'SSH_UNREACHABLE');
    cluster.world.failing('three:h2', 'SSH_UNREACHABLE');
    const { operationId } = await cluster.submit();
    await blocked(cluster, 'h1');
    await cluster.say('skip', 'h1');
    await blocked(cluster, 'h2');
    await cluster.say('skip', 'h2');
    expect((await cluster.result(operationId)).state).toBe('succeeded');
    const told = cluster.world.closed[0]!.tasks.map(({ phase, host, state }) => `${phase} ${host} ${state}`);
    expect(told.filter((task) => !task.startsWith('one'))).toEqual([
      'two h1 succeeded',
      'three h1 skipped',
      'four h4 succeeded',
      'three h2 skipped',
      'three h3 succeeded',
    ]);
    expect(cluster.world.count('two:h2')).toBe(0);
  });

  it('cancels what runs on the host first', async () => {
    const cluster = harness.cluster([
      { name: 'one', hosts: ['h1', 'h2'] },
      { name: 'two', hosts: ['h1', 'h2'] },
      { name: 'three', hosts: ['h1', 'h2'], needs: [everyHost('two')] },
    ]);
    cluster.world.failing('one:h2');
    cluster.world.gate('two:h2');
    const { operationId } = await cluster.submit();
    await blocked(cluster, 'h2');
    await cluster.say('skip', 'h2');
    expect((await cluster.result(operationId)).state).toBe('succeeded');
    expect(states(cluster.world.closed[0]!, 'h2')).toEqual(['skipped', 'skipped', 'skipped']);
    expect(states(cluster.world.closed[0]!, 'h1')).toEqual(['succeeded', 'succeeded', 'succeeded']);
  });

  it('a build that names the host brings it back in', async () => {
    const cluster = four();
    cluster.world.failing('one:h4');
    const first = await cluster.submit();
    await blocked(cluster, 'h4');
    await cluster.say('skip', 'h4');
    await cluster.result(first.operationId);
    cluster.world.working('one:h4');
    const named = await cluster.submit({ hosts: ['h4'] });
    expect((await cluster.result(named.operationId)).quarantine).toEqual([]);
  });

  it('a heal that fails again leaves the host where it was', async () => {
    const cluster = four();
    cluster.world.failing('one:h4', 'SSH_UNREACHABLE');
    const first = await cluster.submit();
    await blocked(cluster, 'h4');
    await cluster.say('skip', 'h4');
    await cluster.result(first.operationId);
    await idle(cluster);
    const heal = await cluster.submit({ kind: 'heal' });
    await cluster.projected(({ operationId, state }) => operationId === heal.operationId && state === 'blocked');
    await cluster.say('skip', 'h4');
    const result = await cluster.result(heal.operationId);
    expect(result).toMatchObject({ state: 'failed', error: { code: 'SSH_UNREACHABLE' }, quarantine: [{ host: 'h4' }] });
  });
});

describe('a host that the check of the whole cluster blames', () => {
  it('can be skipped, though none of its own tasks is blocked', async () => {
    const cluster = four();
    cluster.world.failing('three:h1', 'NODE_NOT_READY', true, ['h4']);
    const { operationId } = await cluster.submit();
    const status = await blocked(cluster, 'h4');
    expect(status.blockedHosts).toEqual(['h1', 'h4']);
    expect(await refusalOf(cluster.say('skip', 'h1'))).toBe('QUORUM_WOULD_BREAK');
    await cluster.say('skip', 'h4');
    const result = await cluster.result(operationId);
    expect(result).toMatchObject({ state: 'succeeded', quarantine: [{ host: 'h4', phase: 'three' }] });
    expect(states(cluster.world.closed[0]!, 'h4')).toEqual(['succeeded', 'succeeded']);
  });

  it('is what the policy leaves out', async () => {
    const cluster = four({ policy: { onHostFailure: 'quarantine', maxQuarantined: 2 } });
    cluster.world.failing('three:h1', 'NODE_NOT_READY', true, ['h2', 'h4']);
    const { operationId } = await cluster.submit();
    expect((await cluster.result(operationId)).quarantine.map(({ host }) => host)).toEqual(['h2', 'h4']);
    expect(cluster.world.count('three:h1')).toBe(2);
  });
});

describe('the policy', () => {
  it('quarantines by policy, with actor and reason', async () => {
    const cluster = four({ policy: { onHostFailure: 'quarantine', maxQuarantined: 1 } });
    cluster.world.failing('two:h4', 'UNIT_FAILED');
    const { operationId } = await cluster.submit();
    expect((await cluster.result(operationId)).state).toBe('succeeded');
    const end = cluster.world.closed[0]!;
    expect(states(end, 'h4')).toEqual(['succeeded', 'skipped']);
    expect(end.quarantine).toMatchObject([{ host: 'h4', by: 'policy', phase: 'two' }]);
    expect(end.quarantine![0]!.why).toContain('UNIT_FAILED');
    expect(end.decisions).toMatchObject([{ by: 'policy', action: 'skip', host: 'h4', phase: 'two' }]);
  });

  it('waits beyond its ceiling, and for hosts that quorum needs, with the reason', async () => {
    const cluster = four({ policy: { onHostFailure: 'quarantine', maxQuarantined: 2 } });
    for (const task of ['one:h1', 'one:h2', 'one:h3', 'one:h4']) cluster.world.failing(task);
    await cluster.submit();
    const status = await cluster.projected(({ state }) => state === 'blocked');
    expect(status.quarantinedHosts).toHaveLength(2);
    expect(status.blockedHosts).toContain('h1');
    const why = status.tasks.flatMap(({ policy }) => policy ?? []);
    expect(why).toHaveLength(2);
    for (const each of why) expect(each).toMatch(/would be (in quarantine|left)/);
    await cluster.cancel();
  });

  it('aborts by policy', async () => {
    const cluster = four({ policy: { onHostFailure: 'abort', maxQuarantined: 0 } });
    cluster.world.failing('one:h2');
    const { operationId } = await cluster.submit();
    const result = await cluster.result(operationId);
    expect(result).toMatchObject({ state: 'failed', error: { code: 'OPERATION_ABORTED', host: 'h2' } });
    expect(cluster.world.closed[0]!.decisions).toMatchObject([{ by: 'policy', action: 'abort' }]);
  });

  it('leaves a check alone', async () => {
    const cluster = four({ policy: { onHostFailure: 'quarantine', maxQuarantined: 4 } });
    cluster.world.failing('one:h4');
    await cluster.submit({ kind: 'check', mode: 'check' });
    expect((await blocked(cluster, 'h4')).quarantinedHosts).toEqual([]);
    await cluster.cancel();
  });
});

describe('replace', () => {
  it('runs every task of the host again on the new machine, after the old key is forgotten', async () => {
    const cluster = four();
    cluster.world.failing('two:h4');
    const { operationId } = await cluster.submit();
    await blocked(cluster, 'h4');
    cluster.world.working('two:h4');
    await cluster.say('replace', 'h4', { specRef: OTHER, baseSpecRef: SPEC_REF });
    expect((await cluster.result(operationId)).state).toBe('succeeded');
    expect(cluster.world.forgotten).toEqual(['h4']);
    const own = cluster.world.finished.filter(({ host }) => host === 'h4');
    expect(own.map(({ phase, specRef }) => [phase, specRef])).toEqual([
      ['one', SPEC_REF],
      ['one', OTHER],
      ['two', OTHER],
    ]);
    // Phases that allow peers by their addresses run again; /etc/hosts of the others waits for the next build.
    expect(['h1', 'h2', 'h3'].map((each) => cluster.world.count(`one:${each}`))).toEqual([1, 2, 1]);
    for (const host of ['h1', 'h2', 'h3']) expect(cluster.world.count(`two:${host}`)).toBe(1);
  });

  it('of a host that others depend on runs their tasks again', async () => {
    const cluster = four();
    cluster.world.failing('two:h3');
    const { operationId } = await cluster.submit();
    await cluster.projected((status) => status.state === 'blocked');
    cluster.world.working('two:h3');
    await cluster.say('replace', 'h3', { specRef: OTHER, baseSpecRef: SPEC_REF });
    expect((await cluster.result(operationId)).state).toBe('succeeded');
    for (const host of HOSTS) {
      const last = cluster.world.finished.filter((each) => each.host === host && each.phase === 'two').at(-1);
      expect(last?.specRef, host).toBe(OTHER);
    }
  });

  it('starts a heal for a host in quarantine', async () => {
    const cluster = four();
    cluster.world.failing('one:h4');
    const first = await cluster.submit();
    await blocked(cluster, 'h4');
    await cluster.say('skip', 'h4');
    await cluster.result(first.operationId);
    cluster.world.working('one:h4');
    const heal = await cluster.submit({ kind: 'heal', hosts: ['h4'], replaced: ['h4'], specRef: OTHER });
    expect((await cluster.result(heal.operationId)).state).toBe('succeeded');
    expect(cluster.world.forgotten).toEqual(['h4']);
  });
});

describe('what is refused leaves no event', () => {
  it('decisions about healthy or unknown hosts, against quorum, on an old view, against each other', async () => {
    const cluster = four();
    cluster.world.failing('one:h1');
    cluster.world.failing('one:h2');
    cluster.world.failing('one:h3');
    const { operationId } = await cluster.submit();
    const status = await cluster.projected(({ state }) => state === 'blocked');
    const before = await traces(cluster, operationId);
    const item = { actor: ACTOR, requestId: randomUUID() };
    for (const action of ['retry', 'skip', 'replace', 'abort'] as const) {
      expect(await refusalOf(cluster.say(action, 'h4')), action).toBe('HOST_NOT_BLOCKED');
      expect(await refusalOf(cluster.say(action, 'nobody')), action).toBe('HOST_NOT_BLOCKED');
    }
    expect(await refusalOf(cluster.say('retry', 'h1', { phase: 'two' }))).toBe('HOST_NOT_BLOCKED');
    expect(await refusalOf(cluster.say('skip', 'h1'))).toBe('QUORUM_WOULD_BREAK');
    const both = ['h2', 'h3'].map((host) => ({ host, action: 'skip' as const, ...item }));
    expect(await refusalOf(cluster.decide({ items: both }))).toBe('QUORUM_WOULD_BREAK');
    const twice = (['retry', 'skip'] as const).map((action) => ({ host: 'h3', action, ...item }));
    expect(await refusalOf(cluster.decide({ items: twice }))).toBe('CONFLICT');
    const stale = { expectedVersion: status.version! - 1 };
    const skip = { host: 'h3', action: 'skip' as const, ...item };
    expect(await refusalOf(cluster.decide({ items: [skip], ...stale }))).toBe('STALE_VERSION');
    expect(await refusalOf(cluster.say('retry', 'h3', { specRef: OTHER, baseSpecRef: OTHER }))).toBe('STALE_VERSION');
    expect(await refusalOf(cluster.resume())).toBe('CONFLICT');
    expect(await refusalOf(cluster.pause('drain', stale))).toBe('STALE_VERSION');
    expect(await traces(cluster, operationId)).toBe(before);

    await cluster.decide({ items: [skip], expectedVersion: status.version! });
    expect(await traces(cluster, operationId)).toBe(before + 1);
    expect(await refusalOf(cluster.say('retry', 'h3'))).toBe('HOST_NOT_BLOCKED');
    expect(await refusalOf(cluster.say('skip', 'h2'))).toBe('QUORUM_WOULD_BREAK');
    await cluster.cancel();
  });

  it('a second pause, a resume of what runs, anything after the end', async () => {
    const cluster = four();
    const open = cluster.world.gate('one:h4');
    const { operationId } = await cluster.submit();
    await cluster.projected((status) => states(status, 'h1').includes('succeeded'));
    expect(await refusalOf(cluster.resume())).toBe('CONFLICT');
    await cluster.pause('drain');
    expect(await refusalOf(cluster.pause('drain'))).toBe('CONFLICT');
    // What drains may still be interrupted.
    await cluster.pause('interrupt');
    await cluster.projected(({ state }) => state === 'paused');
    expect(await refusalOf(cluster.pause('interrupt'))).toBe('CONFLICT');
    await cluster.resume();
    expect(await refusalOf(cluster.resume())).toBe('CONFLICT');
    open();
    expect((await cluster.result(operationId)).state).toBe('succeeded');
    expect(cluster.world.closed[0]!.decisions?.map(({ action, mode }) => [action, mode])).toEqual([
      ['pause', 'drain'],
      ['pause', 'interrupt'],
      ['resume', undefined],
    ]);
  });
});

describe('while paused', () => {
  it('hosts are corrected, retried and skipped; it all happens on resume', async () => {
    const cluster = four();
    cluster.world.failing('one:h3');
    cluster.world.failing('one:h4');
    const { operationId } = await cluster.submit();
    await blocked(cluster, 'h3', 'h4');
    await cluster.pause('drain', { reason: 'lunch' });
    const paused = await cluster.projected(({ state }) => state === 'paused');
    expect(paused.pause).toMatchObject({ by: 'tester', reason: 'lunch' });
    cluster.world.working('one:h3');
    await cluster.amend({ host: 'h3', specRef: OTHER, baseSpecRef: SPEC_REF });
    expect(await refusalOf(cluster.amend({ host: 'h3', specRef: SPEC_REF, baseSpecRef: SPEC_REF }))).toBe(
      'STALE_VERSION',
    );
    await cluster.say('retry', 'h3');
    await cluster.say('skip', 'h4');
    const changed = await cluster.projected(({ quarantinedHosts }) => quarantinedHosts.length === 1);
    expect(changed.state).toBe('paused');
    expect(cluster.world.count('two:h3')).toBe(0);
    await cluster.resume();
    expect((await cluster.result(operationId)).state).toBe('succeeded');
    const healed = cluster.world.finished.filter(({ host }) => host === 'h3');
    expect(healed.map(({ specRef }) => specRef)).toEqual([OTHER, OTHER]);
  });

  it('an operation can be cancelled', async () => {
    const cluster = four();
    cluster.world.gate('one:h1');
    const { operationId } = await cluster.submit();
    await cluster.projected((status) => states(status, 'h2').includes('succeeded'));
    await cluster.pause('interrupt');
    await cluster.projected(({ state }) => state === 'paused');
    await cluster.cancel();
    expect((await cluster.result(operationId)).state).toBe('cancelled');
  });
});
