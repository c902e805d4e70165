import { expect, test } from 'vitest';
import { z } from 'zod';
import { podNetwork } from '../../../activities/phases/capabilities/pod-network.ts';
import { definePhase, type PhaseSpec } from '../../../activities/phases/phase.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { file } from '../../../activities/resources/file.ts';
import { runTask, type TaskDeps } from '../../../activities/tasks/run-task.ts';
import type { TaskInput } from '../../../contracts/operation.ts';
import { FakeHost, nothingThere } from '../../fakes/fake-host.ts';
import { memoryClusterState } from '../../fakes/memory-cluster-state.ts';
import { fakeArtifacts, fakePki, sampleCluster, sampleFacts } from '../../golden/golden.ts';

const input: TaskInput = {
  ...{ cluster: 'sample', operationId: 'operation', phase: '', host: 'worker-1', mode: 'apply', specRef: 'ref' },
  ...{ decision: 0, round: 1, kind: 'build', actor: 'admin', requestId: 'request' },
};
const options = z.strictObject({});
const base = {
  ...{ hosts: 'nodes', needs: [], timeouts: { applyMs: 1000, verifyMs: 1000 }, expectedMs: 1, options },
} as const satisfies Partial<PhaseSpec<typeof options>>;

/** A network that the user brings, and phases that wait for pods. `there`: it is installed. */
function world() {
  const said: string[] = [];
  const state = { there: false, asked: 0 };
  const verify = async () => void said.push('verify');
  const phases = [
    definePhase({
      ...{ ...base, name: 'mesh', title: 'Mesh' },
      offers: [podNetwork.offer(() => ({ mtu: null, overhead: 0, enforcesPolicies: false, needsPodCidr: true }))],
      run: () => Promise.resolve([]),
      awaited: async () => {
        state.asked += 1;
        return state.there ? null : 'the mesh is not there';
      },
    }),
    definePhase({
      ...{ ...base, name: 'pods', title: 'Pods', waitsForPods: true, verify },
      resources: () => [file('/etc/kubewright/x', 'x')],
    }),
    definePhase({
      ...{ ...base, name: 'before', title: 'Before', waitsForPods: true, verify },
      hooks: { before: async () => void said.push('before') },
    }),
    definePhase({
      ...{ ...base, name: 'ready', title: 'Ready', waitsForPods: true },
      check: async () => void said.push('check'),
    }),
    definePhase({ ...base, name: 'other', title: 'Other', verify }),
  ];
  const remote = new FakeHost('worker-1');
  remote.on(() => true, nothingThere);
  const deps: TaskDeps = {
    phases: new Map(phases.map((phase) => [phase.name, phase])),
    hosts: { open: () => Promise.resolve({ host: remote, facts: sampleFacts, hostKeyFingerprint: 'SHA256:x' }) },
    journal: {
      begin: () => Promise.resolve({ head: { n: 1, hash: 'f'.repeat(64) } }),
      end: () => Promise.resolve({ n: 1, hash: 'f'.repeat(64) }),
      record: () => Promise.resolve({ n: 1, hash: 'f'.repeat(64) }),
    },
    spec: () => Promise.resolve(sampleCluster()),
    pki: () => fakePki,
    artifacts: () => fakeArtifacts(true),
    clusterState: memoryClusterState(),
    purgeSecrets: () => Promise.resolve({ secrets: 0, hostKeys: 0 }),
  };
  const run = async (phase: string) => {
    const runtime = {
      ...{ namespace: 'kube', workflowId: 'w', runId: 'r', activityId: 'a', attempt: 1 },
      ...{ signal: new AbortController().signal, step: () => undefined },
    };
    const result = await runTask(deps, { ...input, phase }, runtime);
    const stamped = remote.commands.some(({ argv }) => argv.some((word) => word.endsWith(`/verified.${phase}`)));
    return { changes: result.changeCount, stamped, said: said.splice(0) };
  };
  return { state, run };
}

test('while the network is awaited, tasks place what they have and end without waiting for pods', async () => {
  const { run } = world();
  expect(await run('pods')).toEqual({ changes: 1, stamped: false, said: [] });
  expect(await run('before')).toEqual({ changes: 0, stamped: false, said: [] });
  expect(await run('ready')).toEqual({ changes: 0, stamped: false, said: [] });
});

test('the next build, with the network, does what was left', async () => {
  const { state, run } = world();
  for (const phase of ['pods', 'before', 'ready']) await run(phase);
  state.there = true;
  expect(await run('pods')).toEqual({ changes: 1, stamped: true, said: ['verify'] });
  expect(await run('before')).toEqual({ changes: 0, stamped: true, said: ['before', 'verify'] });
  expect(await run('ready')).toEqual({ changes: 0, stamped: false, said: ['check'] });
  // It held: no second question.
  const asked = state.asked;
  expect(await run('ready')).toEqual({ changes: 0, stamped: false, said: [] });
  expect(state.asked).toBe(asked);
});

test('a phase that needs no pods does not ask about the network', async () => {
  const { state, run } = world();
  expect(await run('other')).toEqual({ changes: 0, stamped: true, said: ['verify'] });
  expect(state.asked).toBe(0);
});

test('every phase that waits for pods in a cluster says so', async () => {
  const phases = [...(await loadPhases()).values()];
  const names = phases.flatMap(({ name, waitsForPods }) => (waitsForPods ? [name] : []));
  expect(names).toEqual(
    expect.arrayContaining(['node-ready', 'dns', 'metrics', 'metrics-ready', 'dashboard', 'verify']),
  );
});
