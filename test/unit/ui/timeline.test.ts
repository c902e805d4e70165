import { describe, expect, it } from 'vitest';
import type { Plan } from '../../../contracts/plan.ts';
import type { TaskStatus } from '../../../contracts/status.ts';
import { criticalPath, expectedRest, timelineOf } from '../../../ui/src/lib/timeline.ts';

const at = (second: number) => new Date(Date.UTC(2026, 11, 1, 0, 0, second)).toISOString();
const task = (phase: string, host: string, from?: number, to?: number): TaskStatus => ({
  ...{ phase, host, attempt: 1, decision: 0 },
  state: from === undefined ? 'pending' : to === undefined ? 'running' : 'succeeded',
  ...(from === undefined ? {} : { startedAt: at(from) }),
  ...(to === undefined ? {} : { endedAt: at(to) }),
});
const phase = (name: string, hosts: string[], needs: Plan['phases'][number]['needs'] = []) =>
  ({ name, hosts, needs, expectedMs: 9_000 }) as unknown as Plan['phases'][number];
const hosts = ['a', 'b', 'c'];
const plan = {
  phases: [
    phase('prepare', hosts),
    phase('etcd', hosts, [{ phase: 'prepare', on: 'same-host' }]),
    phase('master', ['a'], [{ phase: 'etcd', on: 'quorum' }]),
  ],
};

describe('the timeline of an operation', () => {
  it('puts tasks of a host that overlap into lanes, and reuses a lane that is free', () => {
    const { rows, begin } = timelineOf(
      [task('p', 'a', 0, 4), task('q', 'a', 2), task('r', 'a', 4, 5), task('p', 'b')],
      null,
    );
    expect(begin).toBe(Date.parse(at(0)));
    expect(rows.map(({ host, lanes }) => [host, lanes])).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
    expect(rows[0]!.bars.map(({ from, to, lane }) => [from, to, lane])).toEqual([
      [0, 4_000, 0],
      [2_000, null, 1],
      [4_000, 5_000, 0],
    ]);
  });

  it('has no begin before a task began', () => expect(timelineOf([task('p', 'a')], null).begin).toBeNull());

  it('follows the critical path back over a quorum: by the member that completed it, not the slowest', () => {
    const tasks = [
      ...[task('prepare', 'a', 0, 1), task('prepare', 'b', 0, 2), task('prepare', 'c', 0, 3)],
      ...[task('etcd', 'a', 1, 4), task('etcd', 'b', 2, 6), task('etcd', 'c', 3, 9)],
      task('master', 'a', 6, 12),
    ];
    expect([...criticalPath(tasks, plan)]).toEqual(['master a', 'etcd b', 'prepare b']);
    expect(criticalPath(tasks, null).size).toBe(0);
  });

  it('expects the rest by tasks of the phase that have ended, else by the plan', () => {
    const tasks = [task('prepare', 'a', 0, 4), task('prepare', 'b', 0), task('etcd', 'b'), task('etcd', 'a', 4)];
    // b: 4 s of prepare, of which 1 s is left, and 9 s of etcd by the plan.
    expect(expectedRest(tasks, plan, Date.parse(at(3)))).toBe(10_000);
    expect(expectedRest([task('prepare', 'a', 0, 4)], plan, Date.parse(at(9)))).toBeNull();
  });
});
