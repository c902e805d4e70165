import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TaskInput } from '../../contracts/operation.ts';
import { Harness, refusalOf } from '../support/temporal-harness.ts';
import { everyHost, sameHost } from '../support/temporal-plan.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.create();
  await harness.work();
});
afterAll(async () => {
  await harness?.close();
});

const PLANES = ['h1', 'h2', 'h3'];
/** Three control planes that serve, one at a time. */
const rolling = () => {
  const cluster = harness.cluster([
    { name: 'one', hosts: PLANES },
    { name: 'two', hosts: PLANES, needs: [sameHost('one')] },
  ]);
  cluster.world.plan = { windows: [{ what: 'control-plane', phases: ['one', 'two'], hosts: PLANES, atMost: 1 }] };
  return cluster;
};

describe('a plan with a window for one control plane', () => {
  it('changes one host after the other, each through all of its phases', async () => {
    const cluster = rolling();
    const { operationId } = await cluster.submit();
    expect(await cluster.result(operationId)).toMatchObject({ state: 'succeeded', changeCount: 6 });
    const { finished } = cluster.world;
    expect(finished.filter(({ probe }) => probe).map(({ phase, host }) => `${phase}:${host}`)).toHaveLength(3);
    // In the order in which their probes found something to change.
    const changed = finished.filter(({ probe }) => !probe).map(({ phase, host }) => `${phase}:${host}`);
    const hosts = [...new Set(changed.map((task) => task.slice(-2)))];
    expect(changed).toEqual(hosts.flatMap((host) => [`one:${host}`, `two:${host}`]));
    expect([...hosts].sort()).toEqual(PLANES);
  });

  it('runs every task once where nothing differs', async () => {
    const cluster = rolling();
    cluster.world.changes = 0;
    const { operationId } = await cluster.submit();
    expect(await cluster.result(operationId)).toMatchObject({ state: 'succeeded', changeCount: 0 });
    expect(cluster.world.attempts).toHaveLength(6);
  });

  it('changes the host last that the others depend on, also when that moves to another one on the way', async () => {
    const cluster = harness.cluster([{ name: 'one', hosts: PLANES }]);
    cluster.world.plan = { windows: [{ what: 'etcd', phases: ['one'], hosts: PLANES, atMost: 1 }] };
    const isDone = (done: readonly TaskInput[], host: string) => done.some((each) => each.host === host && !each.probe);
    // h1 leads at first; when a host was changed, one that was not takes over.
    cluster.world.turn = (host, done) => {
      const leader = isDone(done, 'h2') ? 'h3' : isDone(done, 'h3') ? 'h2' : 'h1';
      return host === leader ? 'last' : undefined;
    };
    const { operationId } = await cluster.submit();
    expect(await cluster.result(operationId)).toMatchObject({ state: 'succeeded', changeCount: 3 });
    const changed = cluster.world.finished.filter(({ probe }) => !probe);
    const [first = '', ...rest] = changed.map(({ host }) => host);
    expect(['h2', 'h3']).toContain(first);
    expect(rest).toEqual(['h1', first === 'h2' ? 'h3' : 'h2']);
    // The tasks know who is out, and those who may still leave their place.
    expect(changed.map(({ window }) => window)).toEqual([
      { excluded: [], yields: true, served: PLANES },
      { excluded: [], yields: false, served: PLANES },
      { excluded: [], yields: false, served: PLANES },
    ]);
  });

  it('never changes the third host when the second one fails, and continues after a retry', async () => {
    const cluster = rolling();
    const second = Promise.withResolvers<void>();
    cluster.world.on('one:h2', async ({ probe }) => {
      if (probe) return;
      second.resolve();
      throw new Error('made to fail');
    });
    // It asks for the window behind the other two.
    cluster.world.on('one:h3', async ({ probe }) => {
      if (probe) await second.promise;
    });
    const { operationId } = await cluster.submit();
    const blocked = await cluster.projected(({ state }) => state === 'blocked');
    expect(blocked.blockedHosts).toEqual(['h2']);
    const touched = () => cluster.world.finished.some(({ host, probe }) => host === 'h3' && !probe);
    expect(touched()).toBe(false);
    cluster.world.working('one:h2');
    await cluster.retry('h2');
    expect(await cluster.result(operationId)).toMatchObject({ state: 'succeeded', changeCount: 6 });
    expect(touched()).toBe(true);
  });
});

describe('a plan in which a host leaves', () => {
  /** Two balancers forget the third control plane, one at a time; then it is torn down. */
  const leaving = () => {
    const cluster = harness.cluster([
      { name: 'one', hosts: ['b1', 'b2'], without: ['h3'] },
      { name: 'two', hosts: ['h1'], clusterWide: true },
      { name: 'three', hosts: ['h3'], needs: [everyHost('one'), everyHost('two')] },
      { name: 'four', hosts: ['cluster'], needs: [everyHost('three')] },
    ]);
    cluster.world.plan = {
      ...{ quarantined: [], focus: ['h3'], quorum: [{ what: 'load balancers', hosts: ['b1', 'b2'], least: 1 }] },
      windows: [{ what: 'load-balancer', phases: ['one'], hosts: ['b1', 'b2'], atMost: 1 }],
    };
    return cluster;
  };
  const changed = ({ world }: ReturnType<typeof leaving>) =>
    world.finished.filter(({ probe }) => !probe).map(({ phase, host }) => `${phase}:${host}`);

  it('tears it down when the others have forgotten it, with the spec without it', async () => {
    const cluster = leaving();
    const open = cluster.world.gate('one:b2');
    const { operationId } = await cluster.submit();
    await expect.poll(() => changed(cluster), { timeout: 20_000 }).toContain('one:b1');
    expect(changed(cluster)).not.toContain('three:h3');
    open();
    expect(await cluster.result(operationId)).toMatchObject({ state: 'succeeded' });
    expect(changed(cluster).slice(-2)).toEqual(['three:h3', 'four:cluster']);
    for (const { phase, without } of cluster.world.finished) {
      expect([phase, without]).toEqual([phase, phase === 'one' ? ['h3'] : undefined]);
    }
  });

  it('a balancer that cannot forget it keeps it as it is, until it is excluded; the last one cannot be', async () => {
    const cluster = leaving();
    for (const host of ['b1', 'b2']) cluster.world.failing(`one:${host}`, 'SSH_UNREACHABLE', true);
    const { operationId } = await cluster.submit();
    await cluster.projected(({ blockedHosts }) => blockedHosts.length === 2);
    expect(changed(cluster)).not.toContain('three:h3');
    await cluster.say('skip', 'b1');
    expect(await refusalOf(cluster.say('skip', 'b2'))).toBe('QUORUM_WOULD_BREAK');
    cluster.world.working('one:b2');
    await cluster.retry('b2');
    expect(await cluster.result(operationId)).toMatchObject({ state: 'succeeded' });
    expect(changed(cluster).slice(-2)).toEqual(['three:h3', 'four:cluster']);
  });
});
