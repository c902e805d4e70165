import { beforeEach, describe, expect, it } from 'vitest';
import { checkHealth } from '../../../activities/health/check-health.ts';
import { CLUSTER_HEALTH_SCRIPT } from '../../../activities/health/cluster-script.ts';
import { hostHealthScript } from '../../../activities/health/host-script.ts';
import { FOREIGN } from '../../../activities/host/ownership.ts';
import type { TaskDeps } from '../../../activities/tasks/run-task.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import type { HealthInput } from '../../../contracts/health.ts';
import { FakeHost } from '../../fakes/fake-host.ts';
import { memoryClusterState } from '../../fakes/memory-cluster-state.ts';
import { fakeArtifacts, fakePki, sampleCluster, sampleFacts } from '../../golden/golden.ts';

const spec = sampleCluster({
  hosts: [
    { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd'] },
    { name: 'cp-2', address: '10.20.0.12', roles: ['control-plane'] },
    { name: 'w-1', address: '10.20.0.13', roles: ['worker'] },
  ],
});
const names = spec.spec.hosts.map(({ name }) => name);
const HOST = 'unit\tkubelet\tactive\nend\n';
const well = () =>
  [
    `now\t${new Date().toISOString()}`,
    ...['kube-controller-manager', 'kube-scheduler'].map((name) => `lease\t${name}\t${new Date().toISOString()}\tcp-1`),
    ...names.map((name) => `node\t${name}\t-`),
    'end',
    '',
  ].join('\n');
const notReady = (since: string) => `${well()}condition\tw-1\tReady\tFalse\t${since}\tKubeletNotReady\t"starting"\n`;

let hosts: Map<string, FakeHost>;
let opened: { name: string; fence: unknown }[];
beforeEach(() => {
  opened = [];
  hosts = new Map(names.map((name) => [name, new FakeHost(name).on(hostHealthScript(), HOST)]));
});
const host = (name: string) => hosts.get(name)!;

const input = (more: Partial<HealthInput> = {}): HealthInput => ({
  ...{ cluster: 'sample', operationId: 'op', specRef: 'ref', settle: false, hosts: names, gone: [], quarantined: [] },
  ...{ actor: 'admin', requestId: 'request' },
  ...more,
});

function deps(): TaskDeps {
  let n = 0;
  const link = () => Promise.resolve({ n: ++n, hash: 'f'.repeat(64) });
  return {
    phases: new Map(),
    hosts: {
      open: async ({ name }: { name: string }, { fence }: { fence?: unknown }) => {
        opened.push({ name, fence });
        const found = hosts.get(name);
        if (!found) throw new KubewrightError('SSH_UNREACHABLE', `${name} does not answer`);
        return { host: found, facts: sampleFacts, hostKeyFingerprint: 'SHA256:x' };
      },
    },
    journal: { begin: async () => ({ head: await link() }), end: link, record: link },
    spec: () => Promise.resolve(spec),
    pki: () => fakePki,
    artifacts: () => fakeArtifacts(true),
    clusterState: memoryClusterState(),
    forget: () => Promise.resolve({ secrets: 0, hostKeys: 0 }),
  } as unknown as TaskDeps;
}

async function look(more: Partial<HealthInput> = {}) {
  const signal = new AbortController().signal;
  const attempt = { namespace: 'kube', workflowId: 'w', runId: 'r', activityId: 'health:2', attempt: 1 };
  const { health } = await checkHealth(deps(), input(more), { ...attempt, signal, step: () => undefined });
  return { state: health.state, reasons: health.reasons.map(({ code, subject }) => `${code} ${subject}`), health };
}

describe('a health check', () => {
  it('asks one control plane and every host once, and claims nothing', async () => {
    host('cp-1').on(CLUSTER_HEALTH_SCRIPT, well());
    expect(await look()).toMatchObject({ state: 'healthy', reasons: [] });
    expect(opened.map(({ name }) => name).sort()).toEqual(names);
    expect(opened.every(({ fence }) => fence === undefined)).toBe(true);
    expect(names.map((name) => host(name).commands.length)).toEqual([2, 1, 1]);
  });

  it('asks the next control plane where the API does not answer through the first', async () => {
    host('cp-1').on(CLUSTER_HEALTH_SCRIPT, 'kubectl\tfailed\tconnection refused\nend\n');
    host('cp-2').on(CLUSTER_HEALTH_SCRIPT, well());
    expect(await look()).toMatchObject({ state: 'healthy' });
  });

  it('a host that cannot be reached, or is another cluster’s, is a reason and not a failure', async () => {
    hosts.delete('w-1');
    host('cp-1').on(CLUSTER_HEALTH_SCRIPT, well());
    host('cp-2').on(hostHealthScript(), { code: FOREIGN, stdout: 'foreign theirs 0123456789ab\n' });
    const { state, reasons, health } = await look();
    expect({ state, reasons }).toEqual({
      state: 'degraded',
      reasons: ['HOST_UNREACHABLE host cp-2', 'HOST_UNREACHABLE host w-1'],
    });
    expect(health.reasons.map(({ evidence }) => evidence)).toEqual([
      expect.stringMatching(/^HOST_OF_ANOTHER_CLUSTER: /),
      'SSH_UNREACHABLE: w-1 does not answer',
    ]);
  });

  it('is unknown where no control plane can be asked, and where there is no cluster yet', async () => {
    for (const name of ['cp-1', 'cp-2']) hosts.delete(name);
    expect(await look()).toMatchObject({ state: 'unknown' });
    hosts = new Map(names.map((name) => [name, new FakeHost(name).on(hostHealthScript(), HOST)]));
    for (const name of ['cp-1', 'cp-2']) host(name).on(CLUSTER_HEALTH_SCRIPT, 'absent\nend\n');
    expect(await look()).toMatchObject({ state: 'unknown', reasons: [] });
  });

  it('leaves out hosts in quarantine and those that the operation removed', async () => {
    host('cp-1').on(CLUSTER_HEALTH_SCRIPT, well().replace('node\tw-1\t-\n', ''));
    const out = { host: 'cp-2', why: 'dead', since: '2026-11-30T11:00:00Z' };
    expect((await look({ gone: ['w-1'], quarantined: [out] })).reasons).toEqual(['HOST_QUARANTINED host cp-2']);
    expect(opened.map(({ name }) => name)).toEqual(['cp-1']);
  });

  it('after a change repeats its checks for transient reasons only', async () => {
    const soon = new Date().toISOString();
    host('cp-1').once(CLUSTER_HEALTH_SCRIPT, notReady(soon)).on(CLUSTER_HEALTH_SCRIPT, well());
    expect(await look({ settle: true })).toMatchObject({ state: 'healthy' });
    host('cp-1').once(CLUSTER_HEALTH_SCRIPT, notReady(soon));
    expect(await look()).toMatchObject({ reasons: ['NODE_NOT_READY node w-1'] });
    host('cp-1').once(CLUSTER_HEALTH_SCRIPT, notReady('2026-01-01T00:00:00Z'));
    expect(await look({ settle: true })).toMatchObject({ reasons: ['NODE_NOT_READY node w-1'] });
  });
});
