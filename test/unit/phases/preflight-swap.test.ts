import { expect, test } from 'vitest';
import check from '../../../activities/phases/preflight/checks/swap.ts';
import { requirementsOf, sampleCluster, sampleFacts } from '../../golden/golden.ts';

const cluster = sampleCluster();
const host = cluster.spec.hosts[0]!;
const of = (facts: Partial<typeof sampleFacts>, rows: string[][]) =>
  check.evaluate(
    {
      ...{
        cluster,
        host,
        requirements: requirementsOf(cluster, host),
        options: {},
        facts: { ...sampleFacts, ...facts },
      },
      ...{ duplicateHost: null, askedAtMs: 0, answeredAtMs: 0 },
    },
    rows,
  );

test('swap in use is prepare’s to switch off, but in a container', () => {
  expect(of({}, [['active', '/dev/sda2']])).toEqual([]);
  expect(of({ virtualization: 'lxc' }, [['active', '/dev/sda2']])).toEqual([
    {
      code: 'SWAP_STAYS',
      message: 'the swap of the machine is on',
      evidence: '/proc/swaps: /dev/sda2; a container cannot switch off the swap of its machine',
    },
  ]);
});

test('a line that switches swap on is named with its file', () => {
  expect(of({}, [['line', '/etc/rc.local, line 3', ' swapon /swapfile']])).toMatchObject([
    { code: 'SWAP_STAYS', evidence: '/etc/rc.local, line 3: swapon /swapfile' },
  ]);
});

test.each([
  ['by its file', { kubelet: { config: { failSwapOn: false } } }, true],
  ['by a flag', { kubelet: { extraArgs: { 'fail-swap-on': 'false' } } }, true],
  [
    'not where the flag takes it back',
    { kubelet: { config: { failSwapOn: false }, extraArgs: { 'fail-swap-on': 'true' } } },
    false,
  ],
])('a kubelet may run with swap: %s', (_what, nodes, allowed) => {
  const own = sampleCluster({ phases: { nodes } });
  const host = own.spec.hosts[0]!;
  const requirements = requirementsOf(own, host);
  expect(check.probe?.args({ cluster: own, host, requirements, options: {} }) === null).toBe(allowed);
});
