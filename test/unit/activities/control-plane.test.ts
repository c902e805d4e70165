import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { HostOpener, RemoteHost } from '../../../activities/host/types.ts';
import { KUBECTL_ENV } from '../../../activities/kube/kubectl.ts';
import nodeReady from '../../../activities/phases/node-ready/phase.ts';
import { definePhase, type Phase, type PhaseRun } from '../../../activities/phases/phase.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { planesInTurn } from '../../../activities/tasks/control-plane.ts';
import { runTask, type TaskDeps } from '../../../activities/tasks/run-task.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import type { Change, TaskInput } from '../../../contracts/operation.ts';
import { FakeHost } from '../../fakes/fake-host.ts';
import { memoryClusterState } from '../../fakes/memory-cluster-state.ts';
import { fakeArtifacts, fakePki, sampleCluster, sampleFacts } from '../../golden/golden.ts';

const hosts = [
  ...['cp-1', 'cp-2', 'cp-3'].map((name, index) => ({
    name,
    address: `10.0.0.${index + 1}`,
    roles: ['control-plane', 'etcd'],
  })),
  { name: 'w-1', address: '10.0.0.4', roles: ['worker'] },
];
const cluster = sampleCluster({ hosts });
const READYZ = /kubectl get --raw \/readyz/;
const unreachable = () => new KubewrightError('SSH_UNREACHABLE', 'no route to host');
const change: Change[] = [{ resource: 'node:w-1', action: 'update', detail: 'cordoned' }];

/** A task on w-1 whose phase does what the test says. `away`: hosts that cannot be opened. */
function world(does: (run: PhaseRun<unknown>) => Promise<unknown>, { away = [] as string[], phase = '' } = {}) {
  const fakes = new Map(hosts.map(({ name }) => [name, new FakeHost(name)]));
  for (const fake of fakes.values()) fake.on(READYZ, 'ok', { optional: true });
  const opened: { name: string; scope: string | undefined; token: string | undefined }[] = [];
  const recorders = new Set<unknown>();
  const open: HostOpener['open'] = async (target, { fence, recorder }) => {
    opened.push({ name: target.name, scope: fence?.scope, token: fence?.token });
    recorders.add(recorder);
    if (away.includes(target.name)) throw unreachable();
    return { host: fakes.get(target.name)!, facts: sampleFacts, hostKeyFingerprint: 'SHA256:x' };
  };
  const own = definePhase({
    ...{ name: 'drains', title: 'Drains', hosts: 'nodes', needs: [], expectedMs: 1 },
    timeouts: { applyMs: 1000, verifyMs: 1000 },
    options: z.strictObject({}),
    run: async (run: PhaseRun<unknown>) => {
      await does(run);
      return [];
    },
  } as never) as Phase;
  const clusterState = memoryClusterState();
  const deps = async (): Promise<TaskDeps> => ({
    phases: new Map([...(phase ? await loadPhases() : []), own].map((each) => [each.name, each])),
    hosts: { open },
    journal: {
      begin: () => Promise.resolve({ head: { n: 1, hash: 'f' } }),
      end: () => Promise.resolve({ n: 1, hash: 'f' }),
      record: () => Promise.resolve({ n: 1, hash: 'f' }),
    },
    spec: () => Promise.resolve(cluster),
    pki: () => fakePki,
    artifacts: () => fakeArtifacts(true),
    clusterState,
    purgeSecrets: () => Promise.resolve({ secrets: 0, hostKeys: 0 }),
  });
  const task = async (more: Partial<TaskInput> = {}) => {
    const input: TaskInput = {
      ...{ cluster: 'sample', operationId: 'op', phase: phase || 'drains', host: 'w-1', mode: 'apply', specRef: 'r' },
      ...{ decision: 0, round: 1, kind: 'build', actor: 'admin', requestId: 'request' },
      ...more,
    };
    const runtime = { namespace: 'n', workflowId: 'w', runId: 'r', activityId: 'a', attempt: 2 };
    return runTask(await deps(), input, { ...runtime, signal: new AbortController().signal, step: () => undefined });
  };
  return { fakes, opened, recorders, task, clusterState };
}
const on = (fakes: Map<string, FakeHost>, name: string) => fakes.get(name)!;

describe('run.controlPlane()', () => {
  test('is a control plane with a ready API server, with the admin kubeconfig, under fence and journal of the task', async () => {
    const said: string[] = [];
    const { fakes, opened, recorders, task } = world(async ({ controlPlane }) => {
      const plane = await controlPlane();
      const { stdout } = await plane.exec(['kubectl', 'cordon', 'w-1'], { changes: change });
      said.push(plane.name, stdout);
    });
    for (const name of ['cp-1', 'cp-2', 'cp-3'])
      on(fakes, name).on('kubectl cordon w-1', 'cordoned', { optional: true });
    await task();
    const [, { name, scope, token }] = opened as [never, (typeof opened)[0]];
    expect(said).toEqual([name, 'cordoned']);
    expect(opened[0]).toEqual({ name: 'w-1', scope: 'drains', token: 'op.000001.000002' });
    expect(token).toBe('op.000001.000002');
    // Another scope than of the same phase on that host, and for each host another one.
    expect(scope).toMatch(/^drains-for-[0-9a-f]{12}$/);
    expect(recorders.size).toBe(1);
    const [ready, cordon] = on(fakes, name).commands;
    expect(ready!.text).toMatch(READYZ);
    expect(cordon!.options).toMatchObject({ env: KUBECTL_ENV, changes: change });
  });

  test('takes another control plane for one that cannot be reached, or whose API server is not ready', async () => {
    const { fakes, opened, task } = world(async ({ controlPlane }) => (await controlPlane()).exec(['true']), {
      away: ['cp-1'],
    });
    on(fakes, 'cp-2').on(READYZ, { code: 1, stderr: 'etcd failed' });
    on(fakes, 'cp-3').on('true');
    await task();
    expect(
      opened
        .map(({ name }) => name)
        .slice(1)
        .sort(),
    ).toEqual(expect.arrayContaining(['cp-3']));
    expect(on(fakes, 'cp-3').commands.map(({ text }) => text)).toContain('true');
    expect(on(fakes, 'cp-2').commands.map(({ text }) => text)).not.toContain('true');
  });

  test('none: says what each answered', async () => {
    const { fakes, task } = world(({ controlPlane }) => controlPlane(), { away: ['cp-1', 'cp-3'] });
    on(fakes, 'cp-2').on(READYZ, { code: 1, stderr: '[-]etcd failed' });
    await expect(task()).rejects.toMatchObject({
      code: 'APISERVER_NOT_READY',
      host: 'w-1',
      phase: 'drains',
      evidence: expect.stringMatching(/cp-\d: .*(SSH_UNREACHABLE|etcd failed)[\s\S]*cp-\d: [\s\S]*cp-\d: /),
    });
  });

  test('a question goes on with the next when the first is lost; a change does not, for it may have been made', async () => {
    const order = planesInTurn(cluster, cluster.spec.hosts[3]!, []).map(({ name }) => name);
    const [first = '', second = ''] = order;
    const ask = async (changes: Change[] | undefined) => {
      const { fakes, task } = world(async ({ controlPlane }) =>
        (await controlPlane()).exec(['kubectl', 'get', 'x'], changes ? { changes } : {}),
      );
      on(fakes, first).on('kubectl get x', new KubewrightError('SSH_CONNECTION_LOST', 'gone'));
      on(fakes, second).on('kubectl get x', 'here', { optional: true });
      await task();
      return on(fakes, second).commands.length;
    };
    expect(await ask(undefined)).toBe(2);
    await expect(ask(change)).rejects.toMatchObject({ code: 'SSH_CONNECTION_LOST' });
  });

  test('a dry run asks and changes nothing', async () => {
    const tried: string[] = [];
    const refused = async (what: string, promise: Promise<unknown>) =>
      promise.then(
        () => tried.push(`${what} done`),
        (error: KubewrightError) => tried.push(`${what} ${error.code}`),
      );
    const { fakes, opened, task } = world(async ({ controlPlane }) => {
      const plane: RemoteHost = await controlPlane();
      await refused('get', plane.exec(['kubectl', 'get', 'node', 'w-1']));
      await refused('cordon', plane.exec(['kubectl', 'cordon', 'w-1'], { changes: change }));
      await refused('script', plane.script('kubectl drain w-1', [], { changes: change }));
      await refused('upload', plane.upload('/x', 'x'));
    });
    for (const fake of fakes.values()) fake.on('kubectl get node w-1', 'Ready', { optional: true });
    await task({ mode: 'check' });
    expect(tried).toEqual(['get done', 'cordon INTERNAL', 'script INTERNAL', 'upload INTERNAL']);
    expect(opened.map(({ scope }) => scope)).toEqual([undefined, undefined]);
  });

  test('begins with its own host, else with different ones, and never with one in quarantine', () => {
    const names = (host: number, out: string[] = []) =>
      planesInTurn(cluster, cluster.spec.hosts[host]!, out).map(({ name }) => name);
    expect(names(1)).toEqual(['cp-2', 'cp-3', 'cp-1']);
    expect(names(1, ['cp-2'])).not.toContain('cp-2');
    expect(names(3, ['cp-1', 'cp-2', 'cp-3'])).toEqual([]);
    expect(new Set([names(3)[0], ...[0, 1, 2].map((host) => names(host)[0])]).size).toBe(3);
  });
});

describe('Node Ready', () => {
  const SEEN = /kube-node-lease/;
  const asked = (fakes: Map<string, FakeHost>) =>
    [...fakes.values()].flatMap(({ name, commands }) => commands.filter(({ text }) => SEEN.test(text)).map(() => name));
  const ready = () => {
    const { task, ...rest } = world(async () => {}, { phase: 'node-ready' });
    on(rest.fakes, 'w-1').on(/wait-url|ActiveEnterTimestampMonotonic/, '12\n', { optional: true });
    return { ...rest, task };
  };

  test('a new node is asked itself; one that served and was changed also through a control plane', async () => {
    const { fakes, task, clusterState } = ready();
    for (const name of ['cp-1', 'cp-2', 'cp-3']) on(fakes, name).on(SEEN, '', { optional: true });
    await task();
    expect(asked(fakes)).toEqual([]);
    await clusterState.set('sample', 'changed/nodes/w-1', 'op-2.000001.000001');
    await task({ operationId: 'op-2' });
    expect(asked(fakes)).toHaveLength(1);
    const plane = on(fakes, asked(fakes)[0]!);
    expect(plane.commands.find(({ text }) => SEEN.test(text))!.argv).toEqual(['w-1', '12']);
    // Nothing changed since: no host is asked.
    const before = on(fakes, 'w-1').commands.length;
    expect(await task({ operationId: 'op-3' })).toMatchObject({ commands: 0, changeCount: 0 });
    expect(on(fakes, 'w-1').commands).toHaveLength(before);
  });

  test('a node whose kubelet does not report to the cluster fails, and closes its window', async () => {
    const { fakes, task, clusterState } = ready();
    await task();
    await clusterState.set('sample', 'changed/nodes/w-1', 'op-2.000001.000001');
    for (const name of ['cp-1', 'cp-2', 'cp-3'])
      on(fakes, name).on(SEEN, { code: 1, stdout: 'Ready: True; lease renewed: long ago' }, { optional: true });
    on(fakes, 'w-1').on(/^journalctl/, 'kubelet says why');
    await expect(task({ operationId: 'op-2' })).rejects.toMatchObject({
      code: 'NODE_NOT_READY',
      message: expect.stringMatching(/cp-\d does not see the node w-1 Ready/),
      evidence: expect.stringMatching(/lease renewed: long ago[\s\S]*kubelet says why/),
    });
    expect(nodeReady.disrupts).toBe('node');
  });
});
