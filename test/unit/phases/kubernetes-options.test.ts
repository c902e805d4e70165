import { describe, expect, it, test } from 'vitest';
import { kubeletLimits } from '../../../activities/kube/eviction.ts';
import { admissionPluginFlags } from '../../../activities/kube/options/admission-plugins.ts';
import { nodePorts } from '../../../activities/kube/options/control-plane.ts';
import { featureGateProblem } from '../../../activities/kube/options/feature-gates.ts';
import { guardedValues } from '../../../activities/phases/guard.ts';
import master from '../../../activities/phases/master/phase.ts';
import nodes from '../../../activities/phases/nodes/phase.ts';
import { phaseOptions } from '../../../activities/phases/options.ts';
import { sampleCluster } from '../../golden/golden.ts';

test('admission plugins: the order of the lists makes no difference, repeats neither', () => {
  const one = admissionPluginFlags({
    enable: ['PodNodeSelector', 'AlwaysPullImages'],
    disable: ['Priority', 'EventRateLimit'],
  });
  expect(one).toEqual({
    'enable-admission-plugins': 'NodeRestriction,DenyServiceExternalIPs,AlwaysPullImages,PodNodeSelector',
    'disable-admission-plugins': 'Priority',
  });
  expect(
    admissionPluginFlags({
      enable: ['AlwaysPullImages', 'PodNodeSelector', 'NodeRestriction', 'AlwaysPullImages'],
      disable: ['EventRateLimit', 'Priority'],
    }),
  ).toEqual(one);
});

describe('feature gates', () => {
  const problem = (gate: string, on: boolean, version: string) => featureGateProblem('kubelet', { gate, on, version });

  test('a gate that is locked in one version is free in an earlier one', () => {
    expect(problem('AllowOverwriteTerminationGracePeriodSeconds', true, '1.34.4')).toBeNull();
    expect(problem('AllowOverwriteTerminationGracePeriodSeconds', true, '1.35.4')).toMatch(/only `false`.*deprecated/);
    expect(problem('AllowOverwriteTerminationGracePeriodSeconds', false, '1.35.4')).toBeNull();
  });
  test('client-go has gates as well, and groups of gates are gates', () => {
    expect(problem('WatchListClient', false, '1.36.3')).toBeNull();
    expect(problem('AllAlpha', true, '1.36.3')).toBeNull();
  });
  test('of a version without data nothing is said', () => {
    expect(problem('Nonsense', true, '1.29.1')).toBeNull();
    expect(problem('Nonsense', true, '1.37.2')).toMatch(/unknown feature gate/);
  });
});

describe('specs without typed options', () => {
  const cluster = sampleCluster();
  it('have the options of before, so hosts keep their digests', () => {
    expect(phaseOptions(cluster, master)).toEqual({
      certificateNames: [],
      encryption: 'secretbox',
      audit: { enabled: true, maxAgeDays: 30, maxBackups: 10, maxSizeMiB: 100 },
      podSecurity: 'baseline',
      apiServer: { extraArgs: {} },
      controllerManager: { extraArgs: {} },
      scheduler: { extraArgs: {} },
    });
    expect(phaseOptions(cluster, nodes)).toEqual({
      kubelet: { config: {}, extraArgs: {} },
      kubeProxy: { mode: 'nftables', config: {}, extraArgs: {} },
    });
    expect(Object.keys(cluster.spec.network).sort()).toEqual(['clusterDomain', 'podCidr', 'serviceCidr']);
  });
  it('have the range of node ports of Kubernetes', () => {
    expect(nodePorts(cluster)).toEqual({ from: 30_000, to: 32_767, given: false });
  });
});

test('log levels up to 5 are free, and what says who may do what is guarded', () => {
  const guarded = guardedValues(master.guarded ?? [], {
    apiServer: { logLevel: 6, admissionPlugins: { disable: ['NodeRestriction'] }, bindAddress: 'internal' },
    scheduler: { logLevel: 5, featureGates: { AllAlpha: true } },
  });
  expect([...guarded.keys()].sort()).toEqual([
    ...['apiServer.admissionPlugins', 'apiServer.bindAddress', 'apiServer.logLevel', 'scheduler.featureGates'],
  ]);
  expect([
    ...guardedValues(nodes.guarded ?? [], { kubelet: { staticPodPath: '/srv/pods', maxPods: 9 } }).keys(),
  ]).toEqual(['kubelet.staticPodPath']);
});

test('health and preflight know the thresholds of typed eviction', () => {
  const cluster = sampleCluster({
    phases: {
      nodes: {
        kubelet: {
          evictionHard: { 'memory.available': '200Mi' },
          evictionSoft: { 'nodefs.available': { threshold: '20%', gracePeriod: '2m' } },
        },
      },
    },
  });
  const { evictBelow } = kubeletLimits(cluster, cluster.spec.hosts[1]!);
  expect(evictBelow).toContainEqual({ signal: 'memory.available', kind: 'hard', value: '200Mi' });
  // Not named: the default of Kubernetes.
  expect(evictBelow).toContainEqual({ signal: 'nodefs.available', kind: 'hard', value: '10%' });
  expect(evictBelow).toContainEqual({ signal: 'nodefs.available', kind: 'soft', value: '20%' });
});
