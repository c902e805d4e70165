import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Plan } from '../../../contracts/plan.ts';
import { majority } from '../../../contracts/quorum.ts';
import { planProblem } from '../../../workflows/lib/expand.ts';
import { TaskGraph } from '../../../workflows/lib/graph.ts';
import { everyHost, planOf, quorum, sameHost } from '../../support/temporal-plan.ts';
import { met, plansOf } from './plans.ts';

const HOSTS = ['h1', 'h2', 'h3', 'h4', 'h5'];

const plans = plansOf(HOSTS);

/** Runs a plan to its end; `pick` chooses which running task ends next. Returns starts in order. */
function play(plan: Plan, pick: (running: string[]) => number): string[] {
  const graph = new TaskGraph(plan);
  const started: string[] = [];
  const done = new Set<string>();
  let running: string[] = [];
  for (;;) {
    for (const task of graph.next()) {
      const phase = plan.phases.find((each) => each.name === task.phase)!;
      for (const need of phase.needs)
        expect(met(plan, need, task.host, done), `${task.key} before its need`).toBe(true);
      started.push(task.key);
      running.push(task.key);
    }
    expect(running.length).toBe(graph.running);
    expect(running.length).toBeLessThanOrEqual(plan.maxParallel);
    for (const phase of plan.phases) {
      expect(running.filter((key) => key.startsWith(`${phase.name}:`)).length).toBeLessThanOrEqual(phase.maxParallel);
    }
    if (running.length === 0) break;
    const ended = running[pick(running) % running.length]!;
    running = running.filter((key) => key !== ended);
    done.add(ended);
    graph.done(ended);
  }
  expect(graph.finished).toBe(true);
  return started;
}

describe('the task graph', () => {
  it('runs every task once, none before its needs, within the limits, for any order of ends', () => {
    fc.assert(
      fc.property(plans, fc.infiniteStream(fc.nat()), (plan, choices) => {
        expect(planProblem(plan)).toBeNull();
        const iterator = choices[Symbol.iterator]();
        const started = play(plan, () => iterator.next().value ?? 0);
        const all = plan.phases.flatMap(({ name, hosts }) => hosts.map((host) => `${name}:${host}`));
        expect([...started].sort()).toEqual(all.sort());
      }),
    );
  });

  it('starts tasks in the same order every time', () => {
    fc.assert(
      fc.property(plans, fc.array(fc.nat(), { minLength: 1, maxLength: 50 }), (plan, picks) => {
        const run = () => {
          let index = 0;
          return play(plan, () => picks[index++ % picks.length]!);
        };
        expect(run()).toEqual(run());
      }),
    );
  });

  it('lets everything independent of a held task go on', () => {
    fc.assert(
      fc.property(plans, fc.nat(), (plan, choice) => {
        const graph = new TaskGraph(plan);
        const victim = graph.tasks[choice % graph.tasks.length]!;
        const done = new Set<string>();
        for (let taken = graph.next(); taken.length > 0; taken = graph.next()) {
          for (const { key } of taken) {
            if (key === victim.key) graph.park(key);
            else {
              graph.done(key);
              done.add(key);
            }
          }
        }
        // Whatever did not run still lacks a need.
        for (const task of graph.tasks) {
          if (done.has(task.key) || task.key === victim.key) continue;
          const { needs } = plan.phases.find((phase) => phase.name === task.phase)!;
          expect(needs.every((need) => met(plan, need, task.host, done))).toBe(false);
        }
        graph.release(victim.key);
        for (let taken = graph.next(); taken.length > 0; taken = graph.next()) {
          for (const { key } of taken) graph.done(key);
        }
        expect(graph.finished).toBe(true);
      }),
    );
  });

  it('has no barrier: a fast host overtakes', () => {
    const graph = new TaskGraph(
      planOf('c', [
        { name: 'one', hosts: ['h1', 'h2'] },
        { name: 'two', hosts: ['h1', 'h2'], needs: [sameHost('one')] },
      ]),
    );
    expect(graph.next().map(({ key }) => key)).toEqual(['one:h1', 'one:h2']);
    graph.done('one:h2');
    expect(graph.next().map(({ key }) => key)).toEqual(['two:h2']);
  });

  it('runs a task that came later itself, wherever its host is, and others wait for it', () => {
    const graph = new TaskGraph(
      planOf('c', [
        { name: 'one', hosts: ['h1', 'h2'] },
        { name: 'objects', hosts: ['h1'], needs: [sameHost('one')] },
        { name: 'last', hosts: ['h3'], needs: [everyHost('objects')] },
      ]),
      { away: new Set(['h2']) },
    );
    const taken = () => graph.next().map(({ key }) => key);
    expect(taken()).toEqual(['one:h1']);
    graph.skip('one:h1');
    graph.skip('objects:h1');
    graph.add('objects', 'h2');
    expect(taken()).toEqual([]);
    graph.done('one:h2');
    expect(taken()).toEqual(['objects:h2']);
    expect(graph.finished).toBe(false);
    graph.done('objects:h2');
    expect(taken()).toEqual(['last:h3']);
    graph.done('last:h3');
    expect(graph.finished).toBe(true);
  });

  it('opens a quorum need at the majority', () => {
    const graph = new TaskGraph(
      planOf('c', [
        { name: 'etcd', hosts: ['h1', 'h2', 'h3'] },
        { name: 'master', hosts: ['h1'], needs: [quorum('etcd')] },
      ]),
    );
    graph.next();
    graph.done('etcd:h3');
    expect(graph.next()).toEqual([]);
    graph.done('etcd:h2');
    expect(graph.next().map(({ key }) => key)).toEqual(['master:h1']);
    expect([1, 2, 3, 4, 5].map(majority)).toEqual([1, 2, 2, 3, 3]);
  });
});

describe('a plan', () => {
  it('with needs in a circle is refused, and the circle named', () => {
    const plan = planOf('c', [
      { name: 'a', hosts: ['h1'], needs: [everyHost('c')] },
      { name: 'b', hosts: ['h1'], needs: [sameHost('a')] },
      { name: 'c', hosts: ['h1'], needs: [quorum('b')] },
    ]);
    expect(planProblem(plan)?.message).toContain('a needs c needs b needs a');
    expect(planProblem(planOf('c', [{ name: 'a', hosts: ['h1'], needs: [sameHost('a')] }]))).not.toBeNull();
  });

  it('with a phase or a host twice is refused', () => {
    expect(planProblem(planOf('c', [{ name: 'a', hosts: ['h1', 'h1'] }]))).not.toBeNull();
    const twice = { name: 'a', hosts: ['h1'] };
    expect(planProblem(planOf('c', [twice, twice]))).not.toBeNull();
  });
});
