import { expect, it } from 'vitest';
import { z } from 'zod';
import { deepMerge, phaseOptions } from '../../../activities/phases/options.ts';
import { definePhase } from '../../../activities/phases/phase.ts';
import { sampleCluster } from '../../golden/golden.ts';

const nodes = definePhase({
  name: 'nodes',
  title: 'Nodes',
  hosts: 'nodes',
  needs: [],
  timeouts: { applyMs: 1, verifyMs: 1 },
  expectedMs: 1,
  options: z.strictObject({
    mode: z.enum(['nftables', 'iptables']).default('nftables'),
    config: z.record(z.string(), z.unknown()).default({}),
  }),
});

const cluster = sampleCluster({
  phases: { nodes: { config: { a: 1, deep: { x: 1, y: 2 }, list: [1, 2] } } },
  hosts: [
    { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd'] },
    {
      name: 'worker-1',
      address: '10.20.0.12',
      roles: ['worker'],
      phases: { nodes: { mode: 'iptables', config: { deep: { y: 3 }, list: [9] } } },
    },
    { name: 'worker-2', address: '10.20.0.13', roles: ['worker'], phases: { nodes: { mode: 'ebtables' } } },
  ],
});

it("a host's options go over the cluster's, key by key; lists are replaced", () => {
  expect(phaseOptions(cluster, nodes, cluster.spec.hosts[0])).toEqual({
    mode: 'nftables',
    config: { a: 1, deep: { x: 1, y: 2 }, list: [1, 2] },
  });
  expect(phaseOptions(cluster, nodes, cluster.spec.hosts[1])).toEqual({
    mode: 'iptables',
    config: { a: 1, deep: { x: 1, y: 3 }, list: [9] },
  });
});

it('an invalid option makes the spec invalid, with its place', () => {
  expect(() => phaseOptions(cluster, nodes, cluster.spec.hosts[2])).toThrow(
    expect.objectContaining({
      code: 'SPEC_INVALID',
      host: 'worker-2',
      errors: [expect.objectContaining({ path: 'spec.phases.nodes.mode' })],
    }),
  );
});

it('merging never touches its inputs, and names of object methods are plain keys', () => {
  const base = { a: { b: 1 } };
  const merged = deepMerge(base, { a: { c: 2 }, constructor: { x: 1 } });
  expect(base).toEqual({ a: { b: 1 } });
  expect(merged['a']).toEqual({ b: 1, c: 2 });
  expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  deepMerge({}, JSON.parse('{"__proto__": {"polluted": true}}') as Record<string, unknown>);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});
