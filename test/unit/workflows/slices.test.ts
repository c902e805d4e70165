import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TaskGraph } from '../../../workflows/lib/graph.ts';
import { gateOf, gatesOf, slicesOf } from '../../../workflows/lib/slices.ts';
import { handOut, reservedSlots } from '../../../workflows/lib/slots.ts';
import { anyHost, everyHost, planOf, quorum, sameHost } from '../../support/temporal-plan.ts';
import { met, plansOf } from './plans.ts';

const HOSTS = Array.from({ length: 12 }, (_, index) => `h${index + 1}`);
const plans = plansOf(HOSTS).chain((plan) =>
  fc.integer({ min: 1, max: 20 }).map((tasksPerWorkflow) => ({ ...plan, tasksPerWorkflow })),
);

const build = (workers: number, tasksPerWorkflow: number) => {
  const names = Array.from({ length: workers }, (_, index) => `w${index + 1}`);
  const all = ['cp', ...names];
  return planOf(
    'c',
    [
      { name: 'pki', hosts: ['cluster'] },
      { name: 'prepare', hosts: all },
      { name: 'master', hosts: ['cp'], needs: [sameHost('prepare'), sameHost('pki'), quorum('absent')] },
      { name: 'nodes', hosts: all, needs: [sameHost('prepare'), sameHost('pki'), anyHost('master')] },
      { name: 'verify', hosts: ['cp'], needs: [everyHost('nodes')] },
    ],
    { tasksPerWorkflow },
  );
};

describe('slices of a plan', () => {
  it('are none when one workflow can run it', () => {
    expect(slicesOf(build(4, 13))).toEqual([]);
    expect(slicesOf(build(4, 12))).not.toEqual([]);
  });

  it('take the many alike hosts, in order, and leave the few with the operation', () => {
    const slices = slicesOf(build(7, 6));
    expect(slices.map(({ hosts }) => hosts)).toEqual([['w1', 'w2', 'w3'], ['w4', 'w5', 'w6'], ['w7']]);
    expect(slices[2]!.plan.phases).toMatchObject([
      { name: 'prepare', hosts: ['w7'], needs: [] },
      {
        name: 'nodes',
        hosts: ['w7'],
        needs: [sameHost('prepare'), everyHost('pki'), anyHost('master')],
      },
    ]);
    expect(gatesOf(slices[0]!.plan).map(gateOf)).toEqual(['pki/every-host', 'master/any-host']);
  });

  it('leave hosts of a phase with a staged rollout to the operation', () => {
    const plan = build(7, 6);
    plan.phases[1]!.maxParallel = 2;
    expect(slicesOf(plan)).toEqual([]);
  });

  it('hold every task exactly once together with what stays, each within its size', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const slices = slicesOf(plan);
        const away = new Set(slices.flatMap(({ hosts }) => hosts));
        const keys = new TaskGraph(plan).tasks.map(({ key }) => key);
        const stays = new TaskGraph(plan).tasks.filter(({ host }) => !away.has(host)).map(({ key }) => key);
        const batched = slices.map(({ plan: slice }) => new TaskGraph(slice).tasks.map(({ key }) => key));
        expect([...stays, ...batched.flat()].sort()).toEqual([...keys].sort());
        for (const [index, slice] of slices.entries()) {
          // A host is never divided: one that is larger than the limit makes a slice of its own.
          if (slice.hosts.length > 1) expect(batched[index]!.length).toBeLessThanOrEqual(plan.tasksPerWorkflow);
        }
      }),
    );
  });

  it('run to the end, each task once and only after its needs, for any order of ends and reports', () => {
    fc.assert(
      fc.property(plans, fc.infiniteStream(fc.nat(1_000_000)), (plan, choices) => {
        const choose = (count: number) => choices.next().value % count;
        const slices = slicesOf(plan);
        const away = new Set(slices.flatMap(({ hosts }) => hosts));
        const whole = new TaskGraph(plan, { away });
        // The status of the operation, and the orders of batches, both lag behind the work.
        const told = slices.map(() => new Set<string>());
        const parts = slices.map(
          ({ plan: slice }, index) => new TaskGraph(slice, { gate: (need) => told[index]!.has(gateOf(need)) }),
        );
        const done = new Set<string>();
        const unreported: string[] = [];
        const running: { key: string; end(): void }[] = [];
        const begin = (graph: TaskGraph, after: (key: string) => void) => {
          for (const task of graph.next()) {
            const needs = plan.phases.find(({ name }) => name === task.phase)!.needs;
            expect(needs.every((need) => met(plan, need, task.host, done))).toBe(true);
            const { key } = task;
            running.push({
              key,
              end() {
                expect(done.has(key)).toBe(false);
                graph.done(key);
                done.add(key);
                after(key);
              },
            });
          }
        };
        for (let step = 0; done.size < whole.tasks.length; step += 1) {
          expect(step).toBeLessThan(20 * (whole.tasks.length + 1));
          begin(whole, () => undefined);
          for (const part of parts) begin(part, (key) => unreported.push(key));
          if (running.length > 0 && choose(3) > 0) running.splice(choose(running.length), 1)[0]!.end();
          else for (const key of unreported.splice(0)) whole.done(key);
          for (const [index, slice] of slices.entries()) {
            for (const need of gatesOf(slice.plan)) if (whole.met(need)) told[index]!.add(gateOf(need));
          }
        }
        for (const key of unreported) whole.done(key);
        expect(whole.finished && parts.every((part) => part.finished)).toBe(true);
      }),
    );
  });
});

describe('slots', () => {
  const uses = fc.array(fc.record({ slots: fc.nat(20), demand: fc.nat(120) }), { maxLength: 12 });

  it('are never more than there are, never taken back, and never more than a batch can use', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.nat(20), uses, (more, reserved, batches) => {
        const given = batches.reduce((sum, { slots }) => sum + slots, 0);
        const total = given + reserved + more;
        const slots = handOut(total, reserved, batches);
        expect(slots.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(total - reserved);
        for (const [index, batch] of batches.entries()) {
          expect(slots[index]).toBeGreaterThanOrEqual(batch.slots);
          if (slots[index]! > batch.slots) expect(slots[index]).toBeLessThanOrEqual(batch.demand);
        }
      }),
    );
  });

  it('go to a batch whenever none runs and one could', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.array(fc.nat(120), { minLength: 1 }), (total, demands) => {
        const reserved = reservedSlots(total, { demand: 0, hosts: 3, finished: false });
        const slots = handOut(
          total,
          reserved,
          demands.map((demand) => ({ slots: 0, demand })),
        );
        const isWanted = demands.some((demand) => demand > 0);
        expect(slots.some((each) => each > 0)).toBe(isWanted);
      }),
    );
  });

  it('are reserved for the hosts that all others wait for', () => {
    expect(reservedSlots(100, { demand: 4, hosts: 4, finished: false })).toBe(12);
    expect(reservedSlots(10, { demand: 4, hosts: 4, finished: false })).toBe(2);
    expect(reservedSlots(10, { demand: 0, hosts: 4, finished: false })).toBe(1);
    expect(reservedSlots(10, { demand: 0, hosts: 4, finished: true })).toBe(0);
    expect(reservedSlots(1, { demand: 4, hosts: 4, finished: false })).toBe(0);
  });
});
