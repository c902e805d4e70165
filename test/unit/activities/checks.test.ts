import { expect, test } from 'vitest';
import { z } from 'zod';

import { definePhase, type Phase } from '../../../activities/phases/phase.ts';
import { loadPhases, sortPhases } from '../../../activities/phases/phase-loader.ts';
import { file } from '../../../activities/resources/file.ts';
import { runTask, type TaskDeps } from '../../../activities/tasks/run-task.ts';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import type { TaskInput } from '../../../contracts/operation.ts';
import { FakeHost, nothingThere } from '../../fakes/fake-host.ts';
import { memoryClusterState } from '../../fakes/memory-cluster-state.ts';
import { fakeArtifacts, fakePki, sampleCluster, sampleFacts } from '../../golden/golden.ts';
import { makePlan } from '../../support/plans.ts';
import { toyNetwork } from '../../support/toy-phase.ts';

const base = {
  hosts: 'nodes',
  needs: [],
  timeouts: { applyMs: 1000, verifyMs: 1000 },
  expectedMs: 1,
  options: z.strictObject({}),
} as const;
const real = await loadPhases();

/** A phase that writes a file, a check of it on the same host, and one for all hosts. */
function world({ answers = true } = {}) {
  const asked: string[] = [];
  const opened: string[] = [];
  const check = async (
    who: string,
    run: { heldBefore: boolean; fail: (code: 'NODE_NOT_READY', why: string) => never },
  ) => {
    asked.push(`${who}${run.heldBefore ? ' again' : ''}`);
    if (!deps.answers) run.fail('NODE_NOT_READY', 'no');
  };
  const phases = [
    definePhase({
      ...base,
      name: 'places',
      title: 'Places',
      resources: () => [file('/etc/kubewright/x', 'x')],
      verify: async () => void asked.push('verify'),
    }),
    definePhase({
      ...base,
      name: 'here',
      title: 'Here',
      needs: [{ phase: 'places', on: 'same-host' }],
      check: (run) => check(`here ${run.host.name}`, run),
    }),
    definePhase({
      ...base,
      name: 'all',
      title: 'All',
      hosts: 'one-control-plane',
      needs: [
        { phase: 'here', on: 'every-host' },
        { phase: 'places', on: 'every-host' },
      ],
      check: (run) => check('all', run),
    }),
  ];
  const deps = {
    answers,
    spec: sampleCluster(),
    differs: true,
    clusterState: memoryClusterState(),
  };
  const task = async (phase: string, host: string, more: Partial<TaskInput> = {}) => {
    const remote = new FakeHost(host);
    remote.on(() => true, nothingThere);
    const taskDeps: TaskDeps = {
      phases: new Map(phases.map((each) => [each.name, each])),
      hosts: {
        open: ({ name }) => {
          opened.push(name);
          return Promise.resolve({ host: remote, facts: sampleFacts, hostKeyFingerprint: 'SHA256:x' });
        },
      },
      journal: {
        begin: () => Promise.resolve({ head: { n: 1, hash: 'f' } }),
        end: () => Promise.resolve({ n: 1, hash: 'f' }),
        record: () => Promise.resolve({ n: 1, hash: 'f' }),
      },
      spec: () => Promise.resolve(deps.spec),
      pki: () => fakePki,
      artifacts: () => fakeArtifacts(true),
      clusterState: deps.clusterState,
      purgeSecrets: () => Promise.resolve({ secrets: 0, hostKeys: 0 }),
    };
    const input: TaskInput = {
      ...{ cluster: 'sample', operationId: 'op', phase, host, mode: 'apply', specRef: 'ref', decision: 0, round: 1 },
      ...{ kind: 'build', actor: 'admin', requestId: 'request' },
      ...more,
    };
    const runtime = { namespace: 'n', workflowId: 'w', runId: 'r', activityId: 'a', attempt: 1 };
    const result = await runTask(taskDeps, input, {
      ...runtime,
      signal: new AbortController().signal,
      step: () => undefined,
    });
    return result;
  };
  /** What is asked, and which hosts are opened, by these tasks. */
  const during = async (...tasks: Parameters<typeof task>[]) => {
    asked.length = 0;
    opened.length = 0;
    for (const each of tasks) await task(...each);
    return { asked: [...asked], opened: [...opened] };
  };
  return { deps, task, during };
}
const ALL: [string, string][] = [
  ['here', 'cp-1'],
  ['here', 'worker-1'],
  ['all', 'cp-1'],
];

test('a check is asked once; while nothing that it depends on changes it asks no host, and opens none', async () => {
  const { during } = world();
  expect((await during(...ALL)).asked).toEqual(['here cp-1', 'here worker-1', 'all']);
  expect(await during(...ALL)).toEqual({ asked: [], opened: [] });
});

test('a change on one host is asked about on that host, and by what is about every host', async () => {
  const { during } = world();
  await during(...ALL);
  expect((await during(['places', 'worker-1', { operationId: 'op-2' }])).asked).toEqual(['verify']);
  expect((await during(...ALL)).asked).toEqual(['here worker-1 again', 'all again']);
  expect((await during(...ALL)).asked).toEqual([]);
});

test('an answer that was not given is asked for again, also by the next operation', async () => {
  const { deps, task, during } = world({ answers: false });
  await expect(task('here', 'worker-1')).rejects.toMatchObject({ code: 'NODE_NOT_READY', host: 'worker-1' });
  deps.answers = true;
  expect((await during(['here', 'worker-1', { operationId: 'op-2' }])).asked).toEqual(['here worker-1']);
});

test('a change whose verify failed is not forgotten', async () => {
  const { deps, during, task } = world();
  await during(...ALL);
  const { clusterState } = deps;
  // The store goes away just before the phase would be verified: the task fails and is repeated.
  deps.clusterState = { ...clusterState, set: () => Promise.reject(new Error('the store is away')) };
  await expect(task('places', 'worker-1', { operationId: 'op-2' })).rejects.toThrow('the store is away');
  deps.clusterState = clusterState;
  await during(['places', 'worker-1', { operationId: 'op-2', round: 2 }]);
  expect((await during(...ALL)).asked).toEqual(['here worker-1 again', 'all again']);
});

test('a dry run asks nothing and records nothing', async () => {
  const { during } = world();
  expect(await during(['here', 'worker-1', { mode: 'check' }], ['all', 'cp-1', { mode: 'check' }])).toEqual({
    asked: [],
    opened: [],
  });
  expect((await during(...ALL)).asked).toHaveLength(3);
});

test('other hosts of the cluster, and hosts that leave quarantine, are asked about', async () => {
  const { deps, during } = world();
  await during(...ALL);
  expect((await during(['all', 'cp-1', { quarantined: ['worker-2'] }])).asked).toEqual(['all again']);
  expect((await during(['all', 'cp-1'])).asked).toEqual(['all again']);
  const fewer: ClusterSpec = structuredClone(deps.spec);
  fewer.spec.hosts = fewer.spec.hosts.slice(0, 2);
  deps.spec = fewer;
  expect((await during(...ALL)).asked).toEqual(['all again']);
});

const input = {
  ...{ cluster: 'sample', operationId: 'op', kind: 'build', mode: 'apply', specRef: '0'.repeat(64), requestId: 'r' },
  actor: { name: 'ann', role: 'operator' },
} as Parameters<typeof makePlan>[0];
const planned = (phases: readonly Phase[], chosen: Record<string, Record<string, unknown>> = {}, served?: string[]) =>
  makePlan(input, sampleCluster({ phases: chosen }), phases, { served: served ?? [] });

test('Node Ready waits for whichever phase is the pod network, and the window of nodes for Node Ready', async () => {
  const phases = sortPhases([...real, ...(await toyNetwork())]);
  for (const [network, chosen] of [
    ['flannel', {}],
    ['toynet', { flannel: { enabled: false }, toynet: {} }],
  ] as const) {
    const plan = planned(phases, chosen, ['cp-1', 'worker-1', 'worker-2']);
    const ready = plan.phases.find(({ name }) => name === 'node-ready')!;
    expect(ready.needs).toContainEqual({ phase: network, on: 'same-host' });
    expect(ready.hosts).toEqual(['cp-1', 'worker-1', 'worker-2']);
    const window = plan.windows!.find(({ what }) => what === 'node')!;
    expect(window.phases).toContain('node-ready');
    // These are applied while nodes are built, their pods wait; what they run on is no phase of theirs to name.
    for (const name of ['dns', 'dashboard', 'metrics'])
      expect(plan.phases.find((phase) => phase.name === name)!.needs.map(({ phase }) => phase)).not.toContain(network);
    expect(plan.phases.find(({ name }) => name === 'verify')!.needs).toContainEqual({
      phase: network,
      on: 'every-host',
    });
  }
  expect(real.find(({ name }) => name === 'flannel')!.verify!.toString()).not.toContain('NODE_NOT_READY');
});

test('kubectl top is asked where a phase serves the metrics API, and only there', () => {
  const names = (chosen = {}) => planned(real, chosen).phases.map(({ name }) => name);
  expect(names()).toContain('metrics-ready');
  expect(names({ metrics: { enabled: false } })).not.toContain('metrics-ready');
  const { needs } = planned(real).phases.find(({ name }) => name === 'metrics-ready')!;
  expect(needs).toContainEqual({ phase: 'metrics', on: 'every-host' });
});

test('options of phases that offer something are those of the version before, so that no host is verified again', () => {
  const parsed = (name: string) => real.find((phase) => phase.name === name)!.options.parse({});
  expect(parsed('metrics')).toHaveProperty('enabled', true);
  expect(parsed('flannel')).not.toHaveProperty('enabled');
  expect(parsed('master')).not.toHaveProperty('enabled');
});
