import { expect, test } from 'vitest';
import { refusedRemovals } from '../../../activities/operations/removals.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { sampleCluster } from '../../golden/golden.ts';

const phases = await loadPhases();
const host = (name: string, ...roles: string[]) => ({ name, address: `10.0.0.${name.length}${name.at(-1)}`, roles });
const BEFORE = [
  host('cp-1', 'control-plane', 'etcd'),
  host('cp-2', 'control-plane', 'etcd', 'worker'),
  host('cp-3', 'control-plane', 'etcd'),
  host('w-1', 'worker', 'registry', 'time-server'),
  host('w-2', 'worker'),
];
const refusals = (after: typeof BEFORE, served = BEFORE.map(({ name }) => name)) =>
  refusedRemovals(sampleCluster({ hosts: BEFORE }), sampleCluster({ hosts: after }), { phases, served }).map(
    ({ path, message }) => `${path}: ${message}`,
  );
const changed = (name: string, ...roles: string[]) =>
  BEFORE.map((each) => (each.name === name ? { ...each, roles } : each));

test('a host that the cluster has is not left out', () => {
  expect(refusals(BEFORE.filter(({ name }) => name !== 'w-2'))).toEqual([
    'spec.hosts: has no w-2 any more, which is a host of the cluster',
  ]);
});

test('a host that no build has gone through on may leave', () => {
  expect(
    refusals(
      BEFORE.filter(({ name }) => name !== 'w-2'),
      ['cp-1', 'cp-2', 'cp-3', 'w-1'],
    ),
  ).toEqual([]);
});

test.each([
  [
    'w-1',
    ['registry', 'time-server'],
    'spec.hosts[3].roles: has no worker any more: w-1 runs the phase runtime for it',
  ],
  ['cp-3', ['worker', 'etcd'], 'spec.hosts[2].roles: has no control-plane any more: cp-3 runs the phase master for it'],
])('%s: roles %o are refused', (name, roles, message) => {
  expect(refusals(changed(name, ...roles))).toEqual([message]);
});

test('etcd does not leave a host', () => {
  const after = changed('cp-3', 'control-plane').map((each) =>
    each.name === 'cp-2' ? { ...each, roles: ['control-plane', 'worker'] } : each,
  );
  expect(refusals(after)).toEqual([
    'spec.hosts[1].roles: has no etcd any more: cp-2 runs the phase etcd for it',
    'spec.hosts[2].roles: has no etcd any more: cp-3 runs the phase etcd for it',
  ]);
});

test('added roles, and roles whose phases can be torn down, are no removal', () => {
  expect(refusals(changed('w-1', 'worker', 'time-server'))).toEqual([]);
  expect(refusals(changed('cp-2', 'control-plane', 'etcd'))).toEqual([]);
  expect(refusals(changed('w-2', 'worker', 'time-server'))).toEqual([]);
  expect(refusals([...BEFORE, host('w-3', 'worker')])).toEqual([]);
});
