import { expect, test } from 'vitest';
import hostNames from '../../activities/phases/host-names/phase.ts';
import { expectGolden, sampleContext } from './golden.ts';

const hosts = [
  ...[1, 2, 3].map((n) => ({ name: `cp-${n}`, address: `10.20.0.1${n}`, roles: ['control-plane', 'etcd'] })),
  { name: 'worker-1', address: '10.20.0.21', roles: ['worker'] },
  { name: 'worker-2', address: '10.20.0.22', roles: ['worker'] },
];

test('a worker of three control planes begins with one of them', () =>
  expectGolden(hostNames, { name: 'worker-of-three', hosts, host: 'worker-1' }));

test('a control plane begins with itself', () =>
  expectGolden(hostNames, { name: 'second-of-three', hosts, host: 'cp-2' }));

test('one control plane needs no name', async () => {
  const context = await sampleContext(hostNames);
  expect(hostNames.isIdle!(context.cluster)).toBe(true);
  expect(await hostNames.resources!(context)).toEqual([]);
});
