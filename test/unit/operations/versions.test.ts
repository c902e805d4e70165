import { beforeAll, describe, expect, it } from 'vitest';
import { versionIssues, withPinnedVersions } from '../../../activities/operations/versions.ts';
import { isEnabled } from '../../../activities/phases/desired.ts';
import type { Phase } from '../../../activities/phases/phase.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { type ClusterSpec, clusterSpec } from '../../../contracts/cluster.ts';

let phases: Phase[];
beforeAll(async () => {
  phases = await loadPhases();
});

type Options = Record<string, Record<string, unknown>>;
const document = (version: string | undefined, options: Options, worker: Options, workers: number) => ({
  apiVersion: 'kubewright.dev/v1alpha1',
  kind: 'Cluster',
  metadata: { name: 'demo' },
  spec: {
    ...(version === undefined ? {} : { kubernetes: { version } }),
    ssh: { credential: { keyFile: '/k' } },
    hosts: [
      { name: 'cp-1', address: '10.0.0.1', roles: ['control-plane', 'etcd', 'worker'] },
      ...Array.from({ length: workers }, (_, index) => ({
        name: `w-${index + 1}`,
        address: `10.0.0.${index + 2}`,
        roles: ['worker'],
        phases: worker,
      })),
    ],
    phases: options,
  },
});
const cluster = (version?: string, options: Options = {}, worker: Options = {}, workers = 1): ClusterSpec =>
  clusterSpec.parse(document(version, options, worker, workers));
const found = (before: ClusterSpec, after: ClusterSpec) =>
  versionIssues(before, after, phases).map(({ way, path }) => `${way} ${path}`);

const MINORS = [33, 34, 35, 36];
describe('Kubernetes, every pair of versions of cluster and spec', () => {
  it.each(MINORS.flatMap((from) => MINORS.map((to) => [`1.${from}.3`, `1.${to}.3`, to - from] as const)))(
    'from %s to %s',
    (from, to, steps) => {
      const way = steps === 0 ? [] : steps === 1 ? ['upgrade'] : ['refused'];
      expect(found(cluster(from), cluster(to))).toEqual(way.map((each) => `${each} spec.kubernetes.version`));
    },
  );

  it('a patch goes forward by an upgrade, and never back', () => {
    expect(found(cluster('1.36.3'), cluster('1.36.10'))).toEqual(['upgrade spec.kubernetes.version']);
    expect(found(cluster('1.36.10'), cluster('1.36.3'))).toEqual(['refused spec.kubernetes.version']);
  });

  it('a message has both versions', () => {
    const [issue] = versionIssues(cluster('1.36.3'), cluster('1.35.4'), phases);
    expect(issue!.message).toBe('must not go back: the cluster runs Kubernetes 1.36.3, wanted is 1.35.4');
  });
});

describe('phases that are off', () => {
  it('are not named by a pinned version, which would choose them', () => {
    const plain = cluster('1.36.3');
    const pinned = withPinnedVersions(plain, phases, { before: plain, given: {} });
    expect(Object.keys(pinned.spec.phases).sort()).toEqual(
      phases
        .filter((phase) => phase.upgrades && isEnabled(plain, phase))
        .map(({ name }) => name)
        .sort(),
    );
    const other = cluster('1.36.3', { calico: {} });
    expect(Object.keys(withPinnedVersions(other, phases, { before: other, given: {} }).spec.phases)).not.toContain(
      'flannel',
    );
  });

  it('have no version to compare', () => {
    const docker = cluster('1.36.3', { docker: {} });
    expect(found(cluster('1.36.3'), docker)).toEqual([]);
  });
});

describe('versions of phases', () => {
  const etcd = (version: string) => cluster('1.36.3', { etcd: { version } });
  it('etcd takes one minor version at a time, containerd any that is newer', () => {
    expect(found(etcd('3.5.9'), etcd('3.6.14'))).toEqual(['upgrade spec.phases.etcd.version']);
    expect(found(etcd('3.4.9'), etcd('3.6.14'))).toEqual(['refused spec.phases.etcd.version']);
    expect(found(etcd('3.6.14'), etcd('3.6.13'))).toEqual(['refused spec.phases.etcd.version']);
    const runtime = (version: string) => cluster('1.36.3', { runtime: { version } });
    expect(found(runtime('1.7.9'), runtime('2.2.1'))).toEqual(['upgrade spec.phases.runtime.version']);
    expect(found(runtime('2.2.1'), runtime('2.2.0'))).toEqual(['refused spec.phases.runtime.version']);
  });

  it('runc, the CNI plugins and flannel restart nothing that pods depend on: a build changes them', () => {
    const other = { runtime: { runcVersion: '1.2.3', cniVersion: '1.6.0' }, flannel: { version: '0.27.0' } };
    expect(found(cluster(), cluster('1.36.3', other))).toEqual([]);
  });

  it('those of one host are compared with what it runs, those of a new host with what the cluster runs', () => {
    const old = { runtime: { version: '2.1.0' } };
    expect(found(cluster('1.36.3', {}, old), cluster('1.36.3'))).toEqual(['upgrade spec.phases.runtime.version']);
    expect(found(cluster('1.36.3', {}, old), cluster('1.36.3', {}, old))).toEqual([]);
    expect(found(cluster('1.36.3', {}, {}, 0), cluster('1.36.3', {}, old))).toEqual([
      'refused spec.hosts[1].phases.runtime.version',
    ]);
  });
});

describe('versions that a spec leaves open', () => {
  const pin = (after: ClusterSpec, before: ClusterSpec | null, given: unknown) =>
    withPinnedVersions(after, phases, { before, given });

  it('are written out, so that later defaults do not change them', () => {
    const { spec } = pin(cluster(), null, {});
    expect(spec.phases['etcd']).toEqual({ version: expect.stringMatching(/^3\./) });
    expect(spec.phases['runtime']).toEqual({ version: expect.stringMatching(/^2\./) });
  });

  it('name no phase that is off: neither a provider on demand, nor the default one that yields to it', () => {
    expect(Object.keys(pin(cluster(), null, {}).spec.phases).sort()).toEqual(['etcd', 'runtime']);
    const { spec } = pin(cluster('1.36.3', { docker: {} }), null, {});
    expect(spec.phases['docker']).toEqual({ criDockerdVersion: expect.stringMatching(/^0\./) });
    expect(spec.phases['runtime']).toBeUndefined();
  });

  it('are those of the cluster', () => {
    const before = cluster('1.35.4', { etcd: { version: '3.5.9' }, runtime: { version: '2.0.1' } });
    const given = document(undefined, { etcd: { quotaBytes: 2 ** 30 } }, {}, 1);
    const { spec } = pin(clusterSpec.parse(given), before, given);
    expect(spec.kubernetes.version).toBe('1.35.4');
    expect(spec.phases).toMatchObject({
      etcd: { version: '3.5.9', quotaBytes: 2 ** 30 },
      runtime: { version: '2.0.1' },
    });
    expect(found(before, { ...before, spec })).toEqual([]);
  });

  it('are not changed when the spec has them', () => {
    const before = cluster('1.35.4', { etcd: { version: '3.5.9' } });
    const given = document('1.36.3', { etcd: { version: '3.6.14' } }, {}, 1);
    const { spec } = pin(clusterSpec.parse(given), before, given);
    expect(spec.kubernetes.version).toBe('1.36.3');
    expect(spec.phases['etcd']).toEqual({ version: '3.6.14' });
  });
});
