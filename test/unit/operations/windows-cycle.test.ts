import { expect, it } from 'vitest';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import type { OperationInput } from '../../../contracts/operation.ts';
import type { Need, Plan } from '../../../contracts/plan.ts';
import { type Sample, sampleCluster } from '../../golden/golden.ts';
import { makePlan } from '../../support/plans.ts';

const phases = await loadPhases();
const input: OperationInput = {
  ...{ kind: 'build', specRef: 'a'.repeat(64), mode: 'apply', requestId: 'request', cluster: 'sample' },
  ...{ actor: { name: 'admin', role: 'admin' }, operationId: 'operation' },
};

/** Tasks that wait for each other, by needs of phases and by windows, so that none of them can begin; empty: there are none. */
function cycleOf({ phases: planned, windows = [] }: Plan): string[] {
  const hostsOf = new Map(planned.map(({ name, hosts }) => [name, hosts]));
  const tasksOf = ({ phase, on }: Need, host: string): string[] => {
    const hosts = hostsOf.get(phase) ?? [];
    if (on === 'same-host') return hosts.includes(host) ? [`${phase} on ${host}`] : [];
    // Of the others, one of many may be enough.
    return on === 'every-host' || hosts.length === 1 ? hosts.map((each) => `${phase} on ${each}`) : [];
  };
  const waitsFor = new Map<string, Set<string>>();
  for (const { name, hosts, needs } of planned) {
    for (const host of hosts) {
      const own = windows.filter((window) => window.phases.includes(name) && window.hosts.includes(host));
      const joins = windows.filter(({ phases: of, joining = [] }) => of.includes(name) && joining.includes(host));
      waitsFor.set(
        `${name} on ${host}`,
        new Set([
          ...[...needs, ...own.flatMap(({ after = [] }) => after)].flatMap((need) => tasksOf(need, host)),
          ...joins.flatMap((window) => window.hosts.map((other) => `${name} on ${other}`)),
        ]),
      );
    }
  }
  for (let size = -1; size !== waitsFor.size; ) {
    size = waitsFor.size;
    for (const [task, others] of waitsFor) if (![...others].some((other) => waitsFor.has(other))) waitsFor.delete(task);
  }
  return [...waitsFor.keys()];
}

const host = (name: string, last: number, roles: string[]) => ({ name, address: `10.20.0.${last}`, roles });
const PLANES = [
  host('cp-1', 11, ['control-plane', 'etcd', 'worker', 'registry', 'time-server']),
  host('cp-2', 12, ['control-plane', 'etcd', 'worker']),
  host('cp-3', 13, ['control-plane', 'etcd', 'worker']),
];
const WORKER = host('worker-1', 14, ['worker']);
const BALANCERS = [host('lb-1', 15, ['load-balancer']), host('lb-2', 16, ['load-balancer'])];
const ENDPOINTS: Record<string, { endpoint?: object; balancers: typeof BALANCERS }> = {
  'host-names': { balancers: [] },
  'node-local': { endpoint: { provider: 'node-local' }, balancers: [] },
  'load-balancer': { endpoint: { host: '10.20.0.9' }, balancers: BALANCERS },
};
const ENGINES: Sample['engine'][] = [
  { engine: 'binaries' },
  { engine: 'kubeadm', etcd: 'stacked' },
  { engine: 'kubeadm', etcd: 'external' },
];

it.each(ENGINES.flatMap((engine) => Object.entries(ENDPOINTS).map(([name, ways]) => ({ engine, name, ...ways }))))(
  'two control planes join one: no task waits for itself ($engine.engine, $engine.etcd, $name)',
  (way) => {
    const { engine, endpoint, balancers } = way;
    const of = (planes: typeof PLANES) => sampleCluster({ engine, endpoint, hosts: [...planes, WORKER, ...balancers] });
    const before = of(PLANES.slice(0, 1));
    const served = before.spec.hosts.map(({ name }) => name);
    const plan = makePlan(input, of(PLANES), phases, { served, before });
    expect(plan.windows?.map(({ what }) => what)).toEqual(expect.arrayContaining(['control-plane', 'node']));
    expect(cycleOf(plan)).toEqual([]);
  },
);
