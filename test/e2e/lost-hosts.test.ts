import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OperationStatus } from '../../contracts/operation.ts';
import { cutLink, powerOff, powerOn, restoreLink } from '../../lab/faults.ts';
import { openCluster, type SavedCluster } from './chaos/cluster.ts';
import { judged } from './chaos/run.ts';
import { WatchedBuild } from './chaos/watched-build.ts';
import { figure, seconds } from './figures.ts';

/**
 * The three cases in which kubeasz, on the same hosts, blamed a healthy host, ran a second time as a whole, or hung:
 * here the lost host is named with its cause, the others go on, and a decision costs only what was missing.
 */
const LOST = 'worker-2';
const CAUSES = ['SSH_UNREACHABLE', 'SSH_CONNECTION_LOST'];

const CASES = [
  {
    what: 'worker dead at the start',
    kubeasz: 'the run ends for all hosts, blaming a healthy one',
    before: null,
    lose: powerOff,
    find: powerOn,
  },
  {
    what: 'worker lost half way (power)',
    kubeasz: 'a whole second run: 187 s, healthy nodes restarted',
    before: { phase: 'runtime', host: LOST, seq: 4, side: 'begin' as const },
    lose: powerOff,
    find: powerOn,
  },
  {
    what: 'link cut in mid-task',
    kubeasz: 'no verdict for more than 6 minutes',
    before: { phase: 'runtime', host: LOST, seq: 3, side: 'begin' as const },
    lose: cutLink,
    find: restoreLink,
  },
];

const tasksOf = (status: OperationStatus, wanted: (host: string) => boolean, state: string): string[] =>
  status.tasks
    .filter((task) => wanted(task.host) && task.state === state)
    .map(({ phase, host }) => `${phase} on ${host}`);

describe('a lost worker', () => {
  let at: SavedCluster;
  beforeAll(async () => {
    at = await openCluster({ name: 'kwxl', hosts: 3 });
    await at.save('bare');
  });
  afterAll(() => at?.end());

  it.each(CASES)('$what: named, the others finished, only the missing work done after the decision', async (one) => {
    await at.restore('bare');
    const { lab, journal } = at;
    if (one.before === null) await one.lose(lab, LOST);
    const build = await WatchedBuild.start(at);
    if (one.before !== null) {
      await build.untilReached(one.before);
      await one.lose(lab, LOST);
    }
    const lostAt = Date.now();

    const named = await build.until(({ blockedHosts }) => blockedHosts.length > 0);
    const namedMs = Date.now() - lostAt;
    expect(named.blockedHosts).toEqual([LOST]);
    for (const task of named.tasks.filter(({ state }) => state === 'blocked')) {
      expect(task.host).toBe(LOST);
      expect(CAUSES).toContain(task.error?.code);
      expect(task.error?.message).toContain(LOST);
    }

    const waiting = await build.until(({ state }) => state === 'blocked');
    const othersMs = Date.now() - lostAt;
    expect(waiting).toMatchObject({ state: 'blocked', blockedHosts: [LOST] });
    // What the others still wait for needs every host, the lost one too.
    for (const phase of ['prepare', 'chrony', 'etcd', 'runtime', 'binaries', 'master']) {
      const tasks = waiting.tasks.filter((task) => task.phase === phase && task.host !== LOST);
      expect(tasks.map(({ state }) => state)).toEqual(tasks.map(() => 'succeeded'));
    }
    const done = new Set(tasksOf(waiting, () => true, 'succeeded'));

    await one.find(lab, LOST);
    const decidedAt = Date.now();
    await at.services.api.request('POST', `/clusters/${lab.name}/hosts/${LOST}/retry`, {});
    const status = await build.ended();
    const rows = journal.rows(build.operation).filter(({ startedAt }) => Date.parse(startedAt) > decidedAt);
    expect(rows.filter(({ phase, host }) => done.has(`${phase} on ${host}`))).toEqual([]);
    const counts = lab.hosts.map(({ name }) => `${name} ${rows.filter(({ host }) => host === name).length}`);
    figure('lost', {
      case: one.what,
      kubeasz: one.kubeasz,
      'named after': `${seconds(namedMs)} (${named.tasks.find(({ state }) => state === 'blocked')?.error?.code})`,
      'all others done': seconds(othersMs),
      'from decision to the end': seconds(Date.now() - decidedAt),
      'commands after the decision': `${counts.join(', ')} of ${journal.rows(build.operation).length}`,
    });
    expect(await judged(at, { operation: build.operation, status, struck: [], decided: [] })).toEqual([]);
  });

  it('whose tasks had all ended is reported by the last check', async () => {
    await at.restore('bare');
    const { lab } = at;
    const build = await WatchedBuild.start(at);
    await build.untilReached({ phase: 'verify', host: lab.hosts[0]!.name, seq: 1, side: 'begin' });
    await powerOff(lab, LOST);
    const lostAt = Date.now();
    const named = await build.until(({ blockedHosts }) => blockedHosts.length > 0);
    const namedMs = Date.now() - lostAt;
    expect(named.blockedHosts).toContain(LOST);
    const blocked = named.tasks.filter(({ state }) => state === 'blocked');
    expect(blocked).toMatchObject([{ phase: 'verify', error: { code: 'NODE_UNREACHABLE', blames: [LOST] } }]);
    await powerOn(lab, LOST);
    const decidedAt = Date.now();
    await at.services.api.request('POST', `/clusters/${lab.name}/hosts/${LOST}/retry`, {});
    const status = await build.ended();
    figure('lost', {
      case: 'worker lost after its own tasks (power)',
      'named after': `${seconds(namedMs)} (NODE_UNREACHABLE)`,
      'all others done': 'before',
      'from decision to the end': seconds(Date.now() - decidedAt),
    });
    expect(await judged(at, { operation: build.operation, status, struck: [], decided: [] })).toEqual([]);
  });
});
