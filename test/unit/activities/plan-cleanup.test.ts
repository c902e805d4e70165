import { expect, test } from 'vitest';
import { withoutCleanHosts } from '../../../activities/operations/plan-cleanup.ts';
import { recordCleanup } from '../../../activities/phases/cleanup-state.ts';
import { clusterStateOf } from '../../../activities/phases/cluster-state.ts';
import type { Phase } from '../../../activities/phases/phase.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import type { OperationInput } from '../../../contracts/operation.ts';
import { sampleCluster } from '../../golden/golden.ts';
import { makePlan } from '../../support/plans.ts';

const phases = new Map((await loadPhases()).map((phase): [string, Phase] => [phase.name, phase]));
const cluster = sampleCluster();
const CLOSING = ['prune', 'cleanup'];

function memory(start: Record<string, string> = {}) {
  const map = new Map(Object.entries(start));
  return {
    map,
    clusterState: {
      get: (_cluster: string, name: string) => Promise.resolve(map.get(name) ?? null),
      set: (_cluster: string, name: string, text: string) => Promise.resolve(void map.set(name, text)),
      list: (_cluster: string, prefix: string) =>
        Promise.resolve(new Map([...map].filter(([name]) => name.startsWith(prefix)))),
      remove: () => Promise.resolve(),
    },
  };
}
type Memory = ReturnType<typeof memory>;

let operations = 0;
async function planned({ clusterState }: Memory, spec: string, more: Partial<OperationInput> = {}) {
  const input: OperationInput = {
    cluster: 'sample',
    operationId: `op-${++operations}`,
    kind: 'build',
    mode: 'apply',
    specRef: spec.repeat(64),
    requestId: 'r',
    actor: { name: 'a', role: 'admin' },
    ...more,
  };
  const plan = await withoutCleanHosts(makePlan(input, cluster, [...phases.values()]), input, { clusterState, phases });
  return plan.phases
    .filter(({ name }) => CLOSING.includes(name))
    .map(({ name, hosts }) => `${name}: ${hosts.join(' ')}`);
}
const all = ['prune: cp-1', 'cleanup: cp-1 worker-1 worker-2'];
async function succeed({ clusterState }: Memory, ...tasks: string[]) {
  for (const task of tasks) {
    const [phase = '', host = ''] = task.split(' ');
    await recordCleanup(clusterStateOf(clusterState, 'sample', 'apply'), phase, host);
  }
}

test('a first state has nothing to remove; a changed one is cleaned up on every host, once', async () => {
  const store = memory();
  expect(await planned(store, 'a')).toEqual([]);
  expect(await planned(store, 'a')).toEqual([]);
  expect(await planned(store, 'b')).toEqual(all);
  await succeed(store, 'prune cp-1', 'cleanup cp-1', 'cleanup worker-1');
  expect(await planned(store, 'b')).toEqual(['cleanup: worker-2']);
  await succeed(store, 'cleanup worker-2');
  expect(await planned(store, 'b')).toEqual([]);
});

test('a cluster of a version without this record is cleaned up once', async () => {
  const store = memory({ 'etcd/formed': 'x' });
  expect(await planned(store, 'a')).toEqual(all);
  await succeed(store, 'prune cp-1', 'cleanup cp-1', 'cleanup worker-1', 'cleanup worker-2');
  expect(await planned(store, 'a')).toEqual([]);
});

test('back to the state of before a build that failed half-way is a change too', async () => {
  const store = memory();
  await planned(store, 'a');
  await planned(store, 'b');
  expect(await planned(store, 'a')).toEqual(all);
  expect(await planned(store, 'a')).toEqual(all);
});

test('a dry run and a build of some phases record nothing as done', async () => {
  const store = memory();
  await planned(store, 'a');
  const before = new Map(store.map);
  expect(await planned(store, 'b', { kind: 'check', mode: 'check' })).toEqual(all);
  expect(store.map).toEqual(before);
  expect(await planned(store, 'b', { phases: ['dns'] })).toEqual([]);
  expect(await planned(store, 'b')).toEqual(all);
});

test('closing phases come after every other one that does not need them', () => {
  const input = { cluster: 'sample', operationId: 'o', kind: 'build', mode: 'apply', specRef: 'a'.repeat(64) } as const;
  const plan = makePlan({ ...input, requestId: 'r', actor: { name: 'a', role: 'admin' } }, cluster, [
    ...phases.values(),
  ]);
  const names = plan.phases.map(({ name }) => name);
  expect(names.slice(-5)).toEqual(['prune', 'cleanup', 'metrics-ready', 'verify', 'serving-names']);
  const cleanup = plan.phases.find(({ name }) => name === 'cleanup')!;
  expect(cleanup.needs.map(({ phase }) => phase).sort()).toEqual(
    names.filter((name) => !['cleanup', 'metrics-ready', 'verify', 'serving-names'].includes(name)).sort(),
  );
  expect(cleanup.needs).toContainEqual({ phase: 'nodes', on: 'same-host' });
  expect(cleanup.needs).toContainEqual({ phase: 'dashboard', on: 'every-host' });
  expect(plan.phases.find(({ name }) => name === 'verify')!.needs).toContainEqual({
    phase: 'cleanup',
    on: 'every-host',
  });
});
