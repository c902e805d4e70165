import { describe, expect, it } from 'vitest';
import type { Row } from '../../e2e/chaos/journal.ts';
import { choosePoints, commandsOf, dealOut, everyPoint, HOST_FAULTS, PROCESS_FAULTS } from '../../e2e/chaos/points.ts';
import { chaosSettings, POINTS_PER_BUILD } from '../../e2e/chaos/settings.ts';

const HOSTS = ['cp-1', 'worker-1', 'worker-2'];
const PHASES = ['preflight', 'prepare', 'etcd', 'nodes', 'verify'];
const tasks = PHASES.flatMap((phase) => HOSTS.map((host) => ({ phase, host })));

/** Rows of a build; `speed` of each host shuffles their times. */
const rows = (speeds: number[]): Row[] =>
  tasks.flatMap(({ phase, host }, place) =>
    Array.from({ length: 6 }, (_, nth): Row => {
      const startedAt = new Date(1000 * (place * 10 + nth) * speeds[HOSTS.indexOf(host)]!).toISOString();
      return {
        id: `${phase}${host}${nth}`,
        activityId: `${phase}:${host}:0`,
        attempt: 1,
        phase,
        host,
        seq: nth + 1,
        kind: 'script',
        argv: phase === 'prepare' && nth === 2 ? ['sh', '-eu', '-s', '--', 'chrony'] : ['sh'],
        stdinSha256: null,
        startedAt,
        endedAt: startedAt,
        exitCode: 0,
        error: null,
      };
    }),
  );

const commands = commandsOf(rows([1, 2, 3]), tasks);

describe('the points of a chaos run', () => {
  it('follow from the seed, whatever the times of the reference build were', () => {
    const places = (speeds: number[], seed: number) =>
      choosePoints(commandsOf(rows(speeds), tasks), seed, 40).map(({ atMs: _atMs, ...point }) => point);
    expect(places([3, 1, 2], 7)).toEqual(places([1, 2, 3], 7));
    expect(places([1, 2, 3], 8)).not.toEqual(places([1, 2, 3], 7));
  });

  it('are as many different ones as asked for, over the whole build, all faults and all hosts', () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const points = choosePoints(commands, seed, 40);
      const names = points.map(({ index, side, fault, chance }) => `${index} ${side} ${fault} ${chance}`);
      expect(new Set(names).size).toBe(40);
      expect(new Set(points.map(({ fault }) => fault))).toEqual(new Set([...PROCESS_FAULTS, ...HOST_FAULTS]));
      expect(new Set(points.map(({ host }) => host))).toEqual(new Set(HOSTS));
      expect(new Set(points.map(({ phase }) => phase))).toEqual(new Set(PHASES));
      expect(points.map(({ number }) => number)).toEqual(points.map((_, at) => at + 1));
      for (const { fault, phase } of points) if (fault === 'packages') expect(phase).toBe('prepare');
    }
  });

  it('are twelve in three builds as part of test:e2e, every fault among them, and as many as asked for otherwise', () => {
    const { points } = chaosSettings({}, Math.random);
    const builds = dealOut(choosePoints(commands, 1, points), POINTS_PER_BUILD);
    expect(builds.map(({ length }) => length)).toEqual([4, 4, 4]);
    expect(new Set(builds.flat().map(({ fault }) => fault))).toEqual(new Set([...PROCESS_FAULTS, ...HOST_FAULTS]));
    expect(chaosSettings({ KUBEWRIGHT_CHAOS_POINTS: '40' }, Math.random).points).toBe(40);
    for (const bad of ['0', '1.5', 'many', '1001', '-4'])
      expect(() => chaosSettings({ KUBEWRIGHT_CHAOS_POINTS: bad }, Math.random)).toThrow(/CHAOS_POINTS/);
  });

  it('can be every boundary of every command', () => {
    const points = everyPoint(commands, 1);
    expect(new Set(points.map(({ index, side }) => `${index} ${side}`)).size).toBe(commands.length * 2);
  });

  it('are dealt out to builds, each in the order of time', () => {
    const points = choosePoints(commands, 3, 40);
    const builds = dealOut(points, 4);
    expect(builds).toHaveLength(10);
    expect(builds.flat().toSorted((a, b) => a.number - b.number)).toEqual(points);
    for (const build of builds) {
      const times = build.map(({ atMs }) => atMs);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
    }
  });
});
