import { expect, test } from 'vitest';
import { kubeChoices } from '../../../activities/kube/choices.ts';
import check from '../../../activities/phases/preflight/checks/swap.ts';
import { sampleCluster, sampleFacts } from '../../golden/golden.ts';

const cluster = sampleCluster();
const of = (facts: Partial<typeof sampleFacts>, rows: string[][]) =>
  check.evaluate(
    {
      ...{ cluster, host: cluster.spec.hosts[0]!, options: {}, facts: { ...sampleFacts, ...facts } },
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
  expect(kubeChoices(own, host).swapAllowed).toBe(allowed);
  expect(check.probe?.args({ cluster: own, host, options: {} }) === null).toBe(allowed);
});
