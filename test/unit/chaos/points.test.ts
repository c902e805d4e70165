import { describe, expect, it } from 'vitest';
import type { Row } from '../../e2e/chaos/journal.ts';
import { pairsOf, withPairs } from '../../e2e/chaos/pairs.ts';
import {
  choosePoints,
  commandsOf,
  dealOut,
  everyPoint,
  faultsOf,
  HOST_FAULTS,
  isHostFault,
  PROCESS_FAULTS,
} from '../../e2e/chaos/points.ts';
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
  it('follow from the seed, independent of the times of the reference build', () => {
    const places = (speeds: number[], seed: number) =>
      choosePoints(commandsOf(rows(speeds), tasks), seed, 40).map(({ atMs: _atMs, ...point }) => point);
    expect(places([3, 1, 2], 7)).toEqual(places([1, 2, 3], 7));
    expect(places([1, 2, 3], 8)).not.toEqual(places([1, 2, 3], 7));
  });

  it('are at commands of tasks: the number of health checks differs in every run', () => {
    const [first] = rows([1, 1, 1]);
    const health = { ...first!, id: 'h', phase: 'health', activityId: 'health:2' };
    expect(commandsOf([...rows([1, 2, 3]), health], tasks)).toEqual(commands);
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

  it('are two faults at once in one of five, by the seed alone, and the same points without', () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const points = choosePoints(commands, seed, 40);
      const paired = withPairs(points, seed, pairsOf(40));
      expect(withPairs(points, seed, pairsOf(40))).toEqual(paired);
      expect(withPairs(points, seed, 0)).toEqual(points);
      expect(paired.map(({ also: _also, ...point }) => point)).toEqual(points);
      const pairs = paired.filter(({ also }) => also);
      expect(pairs).toHaveLength(8);
      const kinds = pairs.map((point) => faultsOf(point).filter(({ fault }) => isHostFault(fault)).length);
      expect(new Set(kinds)).toEqual(new Set([0, 1, 2]));
      for (const point of pairs) {
        const [first, second] = faultsOf(point);
        expect(HOSTS).toContain(second!.host);
        // One host is hit once: what is down cannot be taken down.
        if (isHostFault(first!.fault) && isHostFault(second!.fault)) expect(second!.host).not.toBe(first!.host);
        expect(second!.fault).not.toBe('packages');
        if (!isHostFault(second!.fault)) expect(second!.fault).not.toBe(first!.fault);
        expect(point.also!.lag).toBeLessThan(1);
      }
    }
    const names = [1, 2].map((seed) => JSON.stringify(withPairs(choosePoints(commands, 7, 40), seed, 8)));
    expect(names[0]).not.toBe(names[1]);
  });

  it('have at least one pair in the twelve of test:e2e, and as many as asked for otherwise', () => {
    const { points, pairs } = chaosSettings({}, Math.random);
    for (const seed of [1, 2, 3]) {
      const paired = withPairs(choosePoints(commands, seed, points), seed, pairs);
      expect(paired.filter(({ also }) => also)).toHaveLength(2);
    }
    expect(chaosSettings({ KUBEWRIGHT_CHAOS_PAIRS: '0' }, Math.random).pairs).toBe(0);
    for (const bad of ['13', '-1', 'x'])
      expect(() => chaosSettings({ KUBEWRIGHT_CHAOS_PAIRS: bad }, Math.random)).toThrow(/CHAOS_PAIRS/);
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
