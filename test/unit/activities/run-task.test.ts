import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { definePhase, type Phase } from '../../../activities/phases/phase.ts';
import { file } from '../../../activities/resources/file.ts';
import { runTask, type TaskDeps } from '../../../activities/tasks/run-task.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import type { TaskInput } from '../../../contracts/operation.ts';
import { FakeHost, nothingThere } from '../../fakes/fake-host.ts';
import { memoryClusterState } from '../../fakes/memory-cluster-state.ts';
import { fakeArtifacts, fakePki, sampleCluster, sampleFacts } from '../../golden/golden.ts';

const input: TaskInput = {
  cluster: 'sample',
  operationId: 'operation',
  phase: 'sample',
  host: 'worker-1',
  mode: 'apply',
  specRef: 'ref',
  decision: 0,
  round: 1,
  kind: 'build',
  actor: 'admin',
  requestId: 'request',
};
const runtime = () => ({
  namespace: 'kube',
  workflowId: 'w',
  runId: 'r',
  activityId: 'a',
  attempt: 1,
  signal: new AbortController().signal,
  step: () => undefined,
});

/** Chains nothing: counts links. */
function memoryJournal(): TaskDeps['journal'] {
  let n = 0;
  const next = () => ({ n: ++n, hash: 'f'.repeat(64) });
  return {
    begin: () => Promise.resolve({ head: next() }),
    end: () => Promise.resolve(next()),
    record: () => Promise.resolve(next()),
  };
}

const base = {
  name: 'sample',
  title: 'Sample',
  hosts: 'all',
  needs: [],
  timeouts: { applyMs: 1000, verifyMs: 1000 },
  expectedMs: 1,
  options: z.strictObject({}),
} as const;

function world(phase: Phase, remote = new FakeHost('worker-1')): TaskDeps & { remote: FakeHost } {
  return {
    remote,
    phases: new Map([[phase.name, phase]]),
    hosts: { open: () => Promise.resolve({ host: remote, facts: sampleFacts, hostKeyFingerprint: 'SHA256:x' }) },
    journal: memoryJournal(),
    spec: () => Promise.resolve(sampleCluster()),
    pki: () => fakePki,
    artifacts: () => fakeArtifacts(true),
    clusterState: memoryClusterState(),
    purgeSecrets: () => Promise.resolve({ secrets: 0, hostKeys: 0 }),
  };
}

describe('a task', () => {
  it('in mode check stops after the difference: no apply, no after, no verify', async () => {
    const calls: string[] = [];
    const phase = definePhase({
      ...base,
      resources: () => [file('/etc/kubewright/x', 'x')],
      hooks: {
        before: async () => void calls.push('before'),
        after: async () => (calls.push('after'), []),
      },
      verify: async () => void calls.push('verify'),
    });
    const deps = world(phase);
    deps.remote.on(() => true, nothingThere);
    const result = await runTask(deps, { ...input, mode: 'check' }, runtime());
    expect(calls).toEqual(['before']);
    expect(result.changes.map((change) => change.resource)).toEqual(['file:/etc/kubewright/x']);
    expect(result.restarts).toEqual([]);
    expect(deps.remote.commands).toHaveLength(1);
  });

  it('applies, then calls after, then verify, with the changes made', async () => {
    const seen: string[] = [];
    const phase = definePhase({
      ...base,
      resources: () => [file('/etc/kubewright/x', 'x')],
      hooks: {
        after: async ({ changes }) => {
          seen.push(`after ${changes.length}`);
          return [{ resource: 'hook:joined', action: 'run', detail: 'joined' }];
        },
      },
      verify: async ({ changes }) => void seen.push(`verify ${changes.length}`),
    });
    const deps = world(phase);
    deps.remote.on(() => true, nothingThere);
    const result = await runTask(deps, input, runtime());
    expect(seen).toEqual(['after 1', 'verify 2']);
    expect(result.changeCount).toBe(2);
    // The hook's change is no command's: it has a record of its own. FakeHost writes none.
    expect(result.chainHead).toBe(`1:${'f'.repeat(64)}`);
    expect(deps.remote.commands.at(-1)?.argv.some((word) => word.endsWith('/verified.sample'))).toBe(true);
  });

  it('of a host that stays sees the spec without those that leave, and works as in a build', async () => {
    const seen: unknown[] = [];
    const phase = definePhase({
      ...base,
      resources: ({ cluster, peers }) => {
        seen.push([cluster.spec.hosts, peers].map((hosts) => hosts.map(({ name }) => name)));
        return [file('/etc/kubewright/x', 'x')];
      },
    });
    const deps = world(phase);
    deps.remote.on(() => true, nothingThere);
    const modes: string[] = [];
    deps.pki = (_cluster, mode) => {
      modes.push(mode);
      return fakePki;
    };
    const task: TaskInput = { ...input, kind: 'teardown', effect: 'removes', without: ['worker-2'] };
    const result = await runTask(deps, task, runtime());
    expect(seen).toEqual([
      [
        ['cp-1', 'worker-1'],
        ['cp-1', 'worker-1'],
      ],
    ]);
    expect(result.changeCount).toBe(1);
    expect(modes).toEqual(['apply']);
  });

  it('that only verifies changes nothing when something differs, and succeeds when nothing does', async () => {
    const seen: string[] = [];
    const phase = definePhase({
      ...base,
      resources: () => [file('/etc/kubewright/x', 'x')],
      hooks: { after: async () => (seen.push('after'), []) },
      verify: async () => void seen.push('verify'),
    });
    const deps = world(phase);
    deps.remote.on(() => true, nothingThere);
    const result = await runTask(deps, { ...input, probe: true }, runtime());
    expect([result.held, result.changeCount, seen]).toEqual([true, 0, []]);
    // One command, the probe.
    expect(deps.remote.commands).toHaveLength(1);
    expect((await runTask(deps, input, runtime())).held).toBeUndefined();
  });

  it('puts host and phase on an error, and keeps code, evidence and cause', async () => {
    const phase = definePhase({
      ...base,
      hooks: {
        before: async ({ fail }) => {
          fail('DISK_FULL', 'no room', 'df says so');
        },
      },
    });
    await expect(runTask(world(phase), input, runtime())).rejects.toMatchObject({
      code: 'DISK_FULL',
      host: 'worker-1',
      phase: 'sample',
      evidence: 'df says so',
    });
    const broken = world(phase);
    const gone = new KubewrightError('SSH_UNREACHABLE', 'gone', { cause: new Error('no route') });
    broken.hosts.open = () => Promise.reject(gone);
    const error = await runTask(broken, input, runtime()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SSH_UNREACHABLE', host: 'worker-1', phase: 'sample' });
    expect((error as Error).cause).toMatchObject({ message: 'no route' });
  });

  it('in mode check waits for nothing that earlier phases would do', async () => {
    const phase = definePhase({
      ...base,
      hooks: {
        before: ({ waitFor }) =>
          waitFor({ code: 'NODE_NOT_READY', message: 'no node', timeoutMs: 60_000 }, () => Promise.resolve('none')),
      },
    });
    expect((await runTask(world(phase), { ...input, mode: 'check' }, runtime())).changeCount).toBe(0);
  });

  it('that is stopped while it waits ends as a stopped command does', async () => {
    const stop = new AbortController();
    const phase = definePhase({
      ...base,
      hooks: {
        before: ({ waitFor }) =>
          waitFor({ code: 'VERIFY_FAILED', message: 'never', timeoutMs: 60_000 }, async () => {
            stop.abort();
            return 'not yet';
          }),
      },
    });
    await expect(runTask(world(phase), input, { ...runtime(), signal: stop.signal })).rejects.toMatchObject({
      code: 'COMMAND_ABORTED',
      host: 'worker-1',
      phase: 'sample',
    });
  });

  it('waits within its timeout, and reports what was still missing', async () => {
    const phase = definePhase({
      ...base,
      hooks: {
        before: ({ waitFor }) =>
          waitFor(
            { code: 'NODE_NOT_READY', message: 'node', timeoutMs: 30, intervalMs: 5 },
            async () => 'kubelet is starting',
          ),
      },
    });
    await expect(runTask(world(phase), input, runtime())).rejects.toMatchObject({
      code: 'NODE_NOT_READY',
      evidence: 'kubelet is starting',
    });
  });

  it('of the worker process reaches no host', async () => {
    let ran = false;
    const phase = definePhase({
      ...base,
      hosts: 'controller',
      hooks: {
        after: async ({ remote }) => {
          ran = true;
          await expect(remote.exec(['true'])).rejects.toThrow('has no host');
          return [];
        },
      },
    });
    const deps = world(phase);
    deps.hosts.open = () => Promise.reject(new Error('must not be opened'));
    await runTask(deps, { ...input, host: 'cluster' }, runtime());
    expect(ran).toBe(true);
  });

  it('shows no secret in changes, steps or errors', async () => {
    const secret = 'Zx81-secret-of-the-pki';
    const leak = { ca: 'ca', cert: 'cert', key: { secret: true as const, value: secret } };
    const steps: string[] = [];
    const phase = (verify: () => Promise<void>) =>
      definePhase({
        ...base,
        resources: async ({ pki }) => {
          const { key } = await pki.leaf({ authority: 'etcd', name: 'x', commonName: 'x', usages: ['client'] });
          return [file(`/etc/${key.value}`, 'x')];
        },
        hooks: { after: async () => [{ resource: 'hook:x', action: 'run', detail: `with ${secret}` }] },
        verify,
      });
    const told = { ...runtime(), step: (text: string) => void steps.push(text) };
    const run = (verify: () => Promise<void>) => {
      const deps = world(phase(verify));
      deps.remote.on(() => true, nothingThere).acceptUploads();
      const pki: TaskDeps['pki'] = (_cluster, _mode, onSecret) => ({
        ...fakePki,
        leaf: () => (onSecret(secret), Promise.resolve(leak)),
      });
      return runTask({ ...deps, pki }, input, told);
    };
    const { changes } = await run(async () => undefined);
    expect(JSON.stringify(changes)).not.toContain(secret);
    expect(changes.map(({ detail }) => detail)).toContain('with [redacted]');
    expect(steps.join()).toContain('[redacted]');
    expect(steps.join()).not.toContain(secret);

    const failing = [
      new KubewrightError('COMMAND_FAILED', `not with ${secret}`, { evidence: `saw ${secret}` }),
      new TypeError(`a fault of ours: ${secret}`),
    ];
    for (const error of failing) {
      const thrown = await run(() => Promise.reject(error)).catch((each: unknown) => each as KubewrightError);
      expect(thrown).toMatchObject({ host: 'worker-1', phase: 'sample' });
      const { message, stack, evidence, cause } = thrown as KubewrightError;
      expect([message, stack, evidence, (cause as Error | undefined)?.stack].join()).not.toContain(secret);
      expect(message).toContain('[redacted]');
    }
  });
});
