import { expect, test } from 'vitest';
import nodeLocal from '../../activities/phases/node-local/phase.ts';
import { testIntervalMs } from '../../activities/phases/node-local/test-interval.ts';
import { expectGolden } from './golden.ts';

const hosts = [
  ...[1, 2, 3].map((n) => ({ name: `cp-${n}`, address: `10.20.0.1${n}`, roles: ['control-plane', 'etcd'] })),
  { name: 'worker-1', address: '10.20.0.21', roles: ['worker'] },
];

test('a worker asks all control planes', () =>
  expectGolden(nodeLocal, { name: 'worker-of-three', hosts, host: 'worker-1' }));

test('a control plane prefers its own API server', () =>
  expectGolden(nodeLocal, { name: 'second-of-three', hosts, host: 'cp-2' }));

test('tests of the API servers do not grow with the number of nodes', () => {
  expect([1, 100, 200, 1000].map(testIntervalMs)).toEqual([500, 500, 1000, 5000]);
});
