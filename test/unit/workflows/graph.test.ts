import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Need, Plan } from '../../../contracts/plan.ts';
import { majority } from '../../../contracts/quorum.ts';
import { planProblem } from '../../../workflows/lib/expand.ts';
import { TaskGraph } from '../../../workflows/lib/graph.ts';
import { everyHost, type PhaseSketch, planOf, quorum, sameHost } from '../../support/temporal-plan.ts';

const HOSTS = ['h1', 'h2', 'h3', 'h4', 'h5'];

/** Any plan without circles: needs point to earlier phases, to phases that are not in the plan, on any scope. */
const plans: fc.Arbitrary<Plan> = fc
  .array(
    fc.record({
      hosts: fc.oneof(
        { weight: 6, arbitrary: fc.subarray(HOSTS, { minLength: 1 }) },
        { weight: 1, arbitrary: fc.constant<string[]>(['cluster']) },
      ),
      needs: fc.array(
        fc.record({
          back: fc.integer({ min: 1, max: 12 }),
          on: fc.constantFrom('same-host', 'every-host', 'quorum', 'any-host') as fc.Arbitrary<Need['on']>,
        }),
        { maxLength: 4 },
      ),
      maxParallel: fc.integer({ min: 1, max: 5 }),
    }),
    { minLength: 1, maxLength: 10 },
  )
  .chain((drafts) => fc.tuple(fc.constant(drafts), fc.integer({ min: 1, max: 12 })))
  .map(([drafts, maxParallel]) =>
    planOf(
      'c',
      drafts.map(
        (draft, index): PhaseSketch => ({
          name: `p${index}`,
          hosts: draft.hosts,
          needs: draft.needs.map(({ back, on }) => ({ phase: `p${index - back}`, on })),
          maxParallel: draft.maxParallel,
        }),
      ),
      { maxParallel },
    ),
  );

/** An independent reading of what a need means, straight from the contract's words. */
function met(plan: Plan, need: Need, host: string, done: ReadonlySet<string>): boolean {
  const target = plan.phases.find((phase) => phase.name === need.phase);
  if (!target) return true;
  const count = target.hosts.filter((each) => done.has(`${need.phase}:${each}`)).length;
  switch (need.on) {
    case 'any-host':
      return count > 0;
    case 'quorum':
      return count * 2 > target.hosts.length;
    case 'every-host':
      return count === target.hosts.length;
    case 'same-host':
      if (target.hosts[0] === 'cluster') return count === 1;
      return !target.hosts.includes(host) || done.has(`${need.phase}:${host}`);
  }
}

/** Runs a plan to its end; `pick` chooses which running task ends next. Returns starts in order. */
function play(plan: Plan, pick: (running: string[]) => number): string[] {
  const graph = new TaskGraph(plan);
  const started: string[] = [];
  const done = new Set<string>();
  let running: string[] = [];
  for (;;) {
    for (const task of graph.take()) {
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
  it('runs every task once, none before its needs, within the limits, whatever ends first', () => {
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
        for (let taken = graph.take(); taken.length > 0; taken = graph.take()) {
          for (const { key } of taken) {
            if (key === victim.key) graph.hold(key);
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
        for (let taken = graph.take(); taken.length > 0; taken = graph.take()) {
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
    expect(graph.take().map(({ key }) => key)).toEqual(['one:h1', 'one:h2']);
    graph.done('one:h2');
    expect(graph.take().map(({ key }) => key)).toEqual(['two:h2']);
  });

  it('opens a quorum need at the majority', () => {
    const graph = new TaskGraph(
      planOf('c', [
        { name: 'etcd', hosts: ['h1', 'h2', 'h3'] },
        { name: 'master', hosts: ['h1'], needs: [quorum('etcd')] },
      ]),
    );
    graph.take();
    graph.done('etcd:h3');
    expect(graph.take()).toEqual([]);
    graph.done('etcd:h2');
    expect(graph.take().map(({ key }) => key)).toEqual(['master:h1']);
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
