import { expect, test } from 'vitest';
import { z } from 'zod';
import { refusedSwitches } from '../../../activities/operations/switches.ts';
import { podNetwork } from '../../../activities/phases/capabilities/pod-network.ts';
import { defineCapability } from '../../../activities/phases/capability.ts';
import { definePhase } from '../../../activities/phases/phase.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { sampleCluster } from '../../golden/golden.ts';

const real = await loadPhases();
const provider = (name: string, isDefault: boolean) =>
  definePhase({
    name,
    title: name,
    hosts: 'nodes',
    offers: [podNetwork.offer(() => ({ mtu: null, overhead: 0, enforcesPolicies: false, needsPodCidr: true }))],
    needs: [],
    timeouts: { applyMs: 1, verifyMs: 1 },
    expectedMs: 1,
    options: z.strictObject({ on: z.boolean().default(isDefault) }),
    enabled: (_cluster, { on }) => on,
  });
const choice = [provider('net-a', true), provider('net-b', false)];

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

test('what is bound is data of the capability: one that is not may be switched', () => {
  const lamp = (bound?: string) =>
    defineCapability({ name: 'lamp', choice: true, data: z.null(), ...(bound ? { bound } : {}) });
  const lit = (name: string, isDefault: boolean, bound?: string) => ({
    ...provider(name, isDefault),
    provides: ['lamp'],
    offers: [lamp(bound).offer(() => null)],
  });
  const after = sampleCluster({ phases: { 'lamp-a': { on: false }, 'lamp-b': { on: true } } });
  const refused = (bound?: string) =>
    refusedSwitches(sampleCluster(), after, [lit('lamp-a', true, bound), lit('lamp-b', false, bound)]);
  expect(refused()).toEqual([]);
  expect(refused('all pods see by it')).toEqual([
    { path: 'spec.phases.lamp-a', message: expect.stringContaining('lamp-a is its lamp, and all pods see by it.') },
  ]);
});
