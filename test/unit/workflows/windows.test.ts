import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Turn } from '../../../contracts/operation.ts';
import type { Plan, PlanWindow } from '../../../contracts/plan.ts';
import { TaskGraph } from '../../../workflows/lib/graph.ts';
import { gatesOf, slicesOf } from '../../../workflows/lib/slices.ts';
import { everyHost, planOf, sameHost } from '../../support/temporal-plan.ts';
import { plansOf } from './plans.ts';

const HOSTS = ['h1', 'h2', 'h3', 'h4', 'h5'];

interface World {
  /** Tasks that have something to change. */
  differ: (key: string) => boolean;
  fails?: (key: string) => boolean;
  pick?: (running: string[]) => number;
  /** What a host that is to be changed asks for, by what was changed until then. */
  turn?: (host: string, changed: readonly string[]) => Turn | undefined;
}

/** Runs a plan as far as it goes; what was changed, in order, with the hosts that were being changed at the same time. */
function play(plan: Plan, { differ, fails = () => false, pick = () => 0, turn = () => undefined }: World) {
  const graph = new TaskGraph(plan);
  const changed: string[] = [];
  const failed: string[] = [];
  let starts = 0;
  let running: { key: string; probes: boolean }[] = [];
  for (;;) {
    for (const { key } of graph.next()) running.push({ key, probes: graph.probes(key) });
    expect((starts += 1), 'it comes to an end').toBeLessThan(1000);
    for (const { what, phases, hosts, atMost } of plan.windows ?? []) {
      const busy = running.flatMap(({ key, probes }) => {
        const [phase = '', host = ''] = key.split(':');
        return !probes && phases.includes(phase) && hosts.includes(host) ? [host] : [];
      });
      expect(new Set(busy).size, `${what}: ${busy.join()}`).toBeLessThanOrEqual(atMost);
    }
    if (running.length === 0) return { graph, changed, failed };
    const ended = running[pick(running.map(({ key }) => key)) % running.length]!;
    running = running.filter((each) => each !== ended);
    const asks = turn(ended.key.split(':')[1]!, changed);
    if (ended.probes && differ(ended.key)) graph.awaitWindow(ended.key, asks);
    else if (!ended.probes && asks === 'last' && graph.mayYield(ended.key)) graph.awaitWindow(ended.key, asks);
    else if (fails(ended.key)) {
      failed.push(ended.key);
      graph.park(ended.key);
    } else {
      if (differ(ended.key)) changed.push(ended.key);
      graph.done(ended.key);
    }
  }
}

const windowed = (plan: Plan, windows: PlanWindow[]): Plan => ({ ...plan, windows });

describe('windows, for any plan', () => {
  const cases = plansOf(HOSTS).chain((plan) =>
    fc.record({
      plan: fc
        .array(
          fc.record({
            what: fc.constantFrom('etcd', 'control-plane', 'node'),
            phases: fc.subarray(
              plan.phases.map(({ name }) => name),
              { minLength: 1 },
            ),
            hosts: fc.subarray(HOSTS, { minLength: 1 }),
            atMost: fc.integer({ min: 1, max: 3 }),
          }),
          { maxLength: 3 },
        )
        .map((windows) => windowed(plan, windows)),
      seed: fc.integer({ min: 0, max: 1000 }),
    }),
  );
  const differs = (seed: number) => (key: string) => (key.length * 31 + key.charCodeAt(1) * 7 + seed) % 3 > 0;

  it('never more hosts of one are changed at once, and everything is done', () => {
    fc.assert(
      fc.property(cases, ({ plan, seed }) => {
        const { graph } = play(plan, { differ: differs(seed), pick: (running) => (seed * 7) % running.length });
        expect(graph.finished).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('a plan without differences is run as without windows', () => {
    fc.assert(
      fc.property(cases, ({ plan }) => {
        const { windows: _windows, ...open } = plan;
        const order = (each: Plan) => {
          const graph = new TaskGraph(each);
          const starts: string[] = [];
          for (let taken = graph.next(); taken.length > 0; taken = graph.next()) {
            starts.push(...taken.map(({ key }) => key));
            for (const { key } of taken) graph.done(key);
          }
          return starts;
        };
        expect(order(plan)).toEqual(order(open));
      }),
    );
  });
});

describe('one control plane at a time', () => {
  const three = HOSTS.slice(0, 3);
  const plan = windowed(
    planOf('c', [
      { name: 'master', hosts: three },
      { name: 'nodes', hosts: three, needs: [sameHost('master')] },
    ]),
    [{ what: 'control-plane', phases: ['master', 'nodes'], hosts: three, atMost: 1 }],
  );

  it('a host goes through its whole chain before the next one begins', () => {
    expect(play(plan, { differ: () => true }).changed).toEqual([
      'master:h1',
      'nodes:h1',
      'master:h2',
      'nodes:h2',
      'master:h3',
      'nodes:h3',
    ]);
  });

  it('a host that fails shuts the window: the third is never touched', () => {
    const { changed, failed } = play(plan, { differ: () => true, fails: (key) => key === 'master:h2' });
    expect([changed, failed]).toEqual([['master:h1', 'nodes:h1'], ['master:h2']]);
  });

  it('it opens again when the host is retried, or left out', () => {
    const { graph } = play(plan, { differ: () => true, fails: (key) => key === 'master:h2' });
    expect(graph.next()).toEqual([]);
    graph.skip('master:h2');
    graph.skip('nodes:h2');
    expect(graph.next().map(({ key }) => key)).toEqual(['master:h3']);
  });

  it('a host whose verification fails takes a place too: it may be the missing member', () => {
    const fails = (key: string) => key === 'master:h1';
    const graph = play(plan, { differ: (key) => !fails(key), fails });
    expect([graph.changed, graph.failed]).toEqual([[], ['master:h1']]);
  });
});

describe('a host that asks for a turn', () => {
  const plan = windowed(planOf('c', [{ name: 'etcd', hosts: HOSTS }]), [
    { what: 'etcd', phases: ['etcd'], hosts: HOSTS, atMost: 1 },
  ]);
  const differ = () => true;
  const hostsOf = (changed: readonly string[]) => changed.map((key) => key.slice(-2));

  it.each(HOSTS)('the leader %s is changed last', (leader) => {
    const { changed } = play(plan, { differ, turn: (host) => (host === leader ? 'last' : undefined) });
    expect(hostsOf(changed)).toEqual([...HOSTS.filter((host) => host !== leader), leader]);
  });

  it('one that does not serve is changed first', () => {
    const { changed } = play(plan, {
      differ,
      // All have looked before the first ends.
      turn: (host) => (host === 'h4' ? 'first' : host === 'h1' ? 'last' : undefined),
      pick: (running) => running.indexOf(running.find((key) => key === 'etcd:h4') ?? running[0]!),
    });
    expect(hostsOf(changed)).toEqual(['h4', 'h2', 'h3', 'h5', 'h1']);
  });

  it('leadership that moves while the window runs moves the last turn with it', () => {
    const leaders = (changed: readonly string[]) => (changed.length < 2 ? 'h1' : changed.length < 3 ? 'h4' : 'h5');
    const { changed } = play(plan, { differ, turn: (host, done) => (host === leaders(done) ? 'last' : undefined) });
    expect(hostsOf(changed)).toEqual(['h2', 'h3', 'h5', 'h1', 'h4']);
  });

  it('does not wait for a host that failed, nor for one without a difference', () => {
    const turn = (host: string) => (host === 'h1' ? ('last' as const) : undefined);
    const { changed, failed } = play(plan, { differ: (key) => ['etcd:h1', 'etcd:h3'].includes(key), turn });
    expect([hostsOf(changed), failed]).toEqual([['h3', 'h1'], []]);
    const wide = windowed(plan, [{ ...plan.windows![0]!, atMost: 3 }]);
    const fails = (key: string) => key === 'etcd:h2';
    const second = play(wide, { differ: (key) => !fails(key), turn, fails });
    expect(hostsOf(second.changed)).toEqual(['h3', 'h4', 'h5', 'h1']);
  });

  it('whatever they ask for, each is changed once and it ends', () => {
    const turns = fc.func(fc.constantFrom<Turn | undefined>('first', 'last', undefined));
    fc.assert(
      fc.property(turns, fc.nat(), (turn, seed) => {
        const { graph, changed } = play(plan, { differ, turn, pick: (running) => seed % running.length });
        expect(graph.finished).toBe(true);
        expect([...hostsOf(changed)].sort()).toEqual(HOSTS);
      }),
      { numRuns: 500 },
    );
  });
});

it('hosts that wait for each other across a window go on one at a time', () => {
  const plan = windowed(
    planOf('c', [
      { name: 'a', hosts: HOSTS },
      { name: 'b', hosts: HOSTS, needs: [everyHost('a')] },
    ]),
    [{ what: 'node', phases: ['a', 'b'], hosts: HOSTS, atMost: 1 }],
  );
  const { graph, changed } = play(plan, { differ: () => true });
  expect(graph.finished).toBe(true);
  expect(changed).toHaveLength(10);
});

it('slices have their share of a window, one host at least; hosts of a window for one stay with the operation', () => {
  const many = Array.from({ length: 60 }, (_, index) => `w${index}`);
  const plan: Plan = {
    ...planOf('c', [
      { name: 'master', hosts: ['cp1', 'cp2', 'cp3'] },
      { name: 'nodes', hosts: ['cp1', 'cp2', 'cp3', ...many] },
    ]),
    tasksPerWorkflow: 20,
    windows: [
      { what: 'control-plane', phases: ['master'], hosts: ['cp1', 'cp2', 'cp3'], atMost: 1 },
      { what: 'node', phases: ['nodes'], hosts: many, atMost: 6 },
    ],
  };
  const slices = slicesOf(plan);
  expect(slices.flatMap(({ hosts }) => hosts)).toEqual(many);
  for (const { plan: slice, hosts } of slices) {
    const node = slice.windows!.find(({ what }) => what === 'node')!;
    expect([node.hosts, node.atMost]).toEqual([hosts, Math.max(1, Math.floor(hosts.length / 10))]);
  }
});

describe('a window after others', () => {
  const three = HOSTS.slice(0, 3);
  const plan = windowed(
    planOf('c', [
      { name: 'master', hosts: three },
      { name: 'nodes', hosts: HOSTS },
    ]),
    [
      { what: 'control-plane', phases: ['master'], hosts: three, atMost: 1 },
      { what: 'node', phases: ['nodes'], hosts: HOSTS, atMost: 2, after: [everyHost('master')] },
    ],
  );

  it('no client is changed before the last server is, whichever probe ends first', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 1 }), (picks) => {
        let turn = 0;
        const pick = () => picks[turn++ % picks.length]!;
        const { changed, graph } = play(plan, { differ: () => true, pick });
        expect(graph.finished).toBe(true);
        expect(changed.slice(0, 3).every((key) => key.startsWith('master:'))).toBe(true);
      }),
    );
  });

  it('a client with nothing to change waits for no server', () => {
    const graph = new TaskGraph(plan);
    for (const { key } of graph.next()) if (key.startsWith('nodes:')) graph.done(key);
    expect(graph.is('nodes:h1', 'done')).toBe(true);
  });

  it('a server that failed keeps the clients as they are, until it is retried or left out', () => {
    const { graph, changed } = play(plan, { differ: () => true, fails: (key) => key === 'master:h3' });
    expect(changed).toEqual(['master:h1', 'master:h2']);
    graph.skip('master:h3');
    graph.skip('nodes:h3');
    expect(graph.next().map(({ key }) => key)).toEqual(['nodes:h1', 'nodes:h2']);
  });

  it('a slice asks the operation: what comes before is a gate of it', () => {
    const many = Array.from({ length: 60 }, (_, index) => `w${index}`);
    const large: Plan = {
      ...planOf('c', [
        { name: 'master', hosts: three },
        { name: 'nodes', hosts: many },
      ]),
      tasksPerWorkflow: 20,
      windows: [
        { what: 'control-plane', phases: ['master'], hosts: three, atMost: 1 },
        { what: 'node', phases: ['nodes'], hosts: many, atMost: 6, after: [everyHost('master')] },
      ],
    };
    const [slice] = slicesOf(large);
    expect(gatesOf(slice!.plan)).toEqual([everyHost('master')]);
    let isOpen = false;
    const graph = new TaskGraph(slice!.plan, { gate: () => isOpen });
    for (const { key } of graph.next()) graph.awaitWindow(key);
    expect(graph.next()).toEqual([]);
    isOpen = true;
    expect(graph.next()).toHaveLength(slice!.plan.windows!.at(-1)!.atMost);
  });
});

describe('a host that joins hosts that serve', () => {
  const [one, two, joiner] = ['h1', 'h2', 'h3'] as const;
  const plan = windowed(
    planOf('c', [
      { name: 'base', hosts: [one, two, joiner] },
      { name: 'balancer', hosts: [one, two, joiner], needs: [sameHost('base')] },
    ]),
    [{ what: 'load-balancer', phases: ['balancer'], hosts: [one, two], joining: [joiner], atMost: 1 }],
  );

  it('begins when each of them is over, whatever ends first, changed or not', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 1 }), fc.boolean(), (picks, differs) => {
        let turn = 0;
        const pick = () => picks[turn++ % picks.length]!;
        const differ = (key: string) => differs || key.endsWith(joiner);
        const { changed, graph } = play(plan, { differ, pick });
        expect(graph.finished).toBe(true);
        expect(changed.at(-1)).toBe(`balancer:${joiner}`);
      }),
    );
  });

  it('waits for one that failed until it is retried or left out, and no other phase of it waits', () => {
    const { graph, changed } = play(plan, { differ: () => true, fails: (key) => key === 'balancer:h2' });
    expect(changed).toContain(`base:${joiner}`);
    expect(changed).not.toContain(`balancer:${joiner}`);
    graph.skip('balancer:h2');
    expect(graph.next().map(({ key }) => key)).toEqual([`balancer:${joiner}`]);
  });

  it('stays with the operation when a plan is divided', () => {
    const many = Array.from({ length: 60 }, (_, index) => `w${index}`);
    const large: Plan = {
      ...planOf('c', [
        { name: 'base', hosts: [one, two, joiner, ...many] },
        { name: 'balancer', hosts: [one, two, joiner] },
      ]),
      ...{ tasksPerWorkflow: 20, windows: plan.windows! },
    };
    expect(slicesOf(large).flatMap(({ hosts }) => hosts)).toEqual(many);
  });
});
