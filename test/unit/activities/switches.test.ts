import { expect, test } from 'vitest';
import { z } from 'zod';
import { refusedSwitches } from '../../../activities/operations/switches.ts';
import { definePhase } from '../../../activities/phases/phase.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { sampleCluster } from '../../golden/golden.ts';

const real = await loadPhases();
const provider = (name: string, capability: string, isDefault: boolean) =>
  definePhase({
    name,
    title: name,
    hosts: 'nodes',
    provides: [capability],
    needs: [],
    timeouts: { applyMs: 1, verifyMs: 1 },
    expectedMs: 1,
    options: z.strictObject({ on: z.boolean().default(isDefault) }),
    enabled: (_cluster, { on }) => on,
  });
const choice = [provider('net-a', 'pod-network', true), provider('net-b', 'pod-network', false)];

test('another pod network is refused by name, with the reason and the way', () => {
  const after = sampleCluster({ phases: { 'net-a': { on: false }, 'net-b': { on: true } } });
  expect(refusedSwitches(sampleCluster(), after, choice)).toEqual([
    {
      path: 'spec.phases.net-a',
      message: expect.stringMatching(/switched to net-b.*net-a is its pod-network.*running pods.*new cluster/),
    },
  ]);
  expect(refusedSwitches(sampleCluster(), sampleCluster({ phases: { 'net-a': { on: false } } }), choice)).toHaveLength(
    1,
  );
});

test('other networks of pods and services are refused', () => {
  const after = sampleCluster({
    network: { podCidr: '10.250.0.0/16', serviceCidr: '10.97.0.0/16', clusterDomain: 'b.test' },
  });
  expect(refusedSwitches(sampleCluster(), after, real).map(({ path }) => path)).toEqual([
    'spec.network.podCidr',
    'spec.network.serviceCidr',
    'spec.network.clusterDomain',
  ]);
});

test('what cuts off no pod may be switched', () => {
  const phases = {
    dashboard: { enabled: false },
    metrics: { enabled: false },
    nodes: { kubeProxy: { mode: 'iptables' } },
    flannel: { backend: 'host-gw' },
  };
  expect(refusedSwitches(sampleCluster(), sampleCluster({ phases }), real)).toEqual([]);
});
