import { expect, test } from 'vitest';
import type { Check } from '../../../activities/phases/preflight/check.ts';
import routerId from '../../../activities/phases/preflight/checks/router-id.ts';
import virtualAddress from '../../../activities/phases/preflight/checks/virtual-address.ts';
import { requirementsOf, sampleCluster, sampleFacts } from '../../golden/golden.ts';

const VIP = '10.20.0.100';
const hosts = [
  { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd'] },
  { name: 'lb-1', address: '10.20.0.21', roles: ['load-balancer'] },
  { name: 'lb-2', address: '10.20.0.22', roles: ['load-balancer'] },
];
const cluster = (options: object = {}) =>
  sampleCluster({
    hosts,
    endpoint: { host: VIP },
    phases: { 'load-balancer': { keepalived: { routerId: 51, ...options } } },
  });

function look(check: Check, rows: readonly (readonly string[])[], host = 'lb-1', options: object = {}) {
  const spec = cluster(options);
  const own = spec.spec.hosts.find(({ name }) => name === host)!;
  const of = { cluster: spec, host: own, requirements: requirementsOf(spec, own), options: {} as never };
  const input = { ...of, facts: sampleFacts, duplicateHost: null, askedAtMs: 0, answeredAtMs: 0 };
  return { args: check.probe?.args(of) ?? null, problems: check.evaluate(input, rows) };
}
const NETWORK = ['network', 'eth0', '10.20.0.21/24'];

test('only load balancers that share an address are asked', () => {
  for (const check of [virtualAddress, routerId]) {
    expect(look(check, [], 'cp-1').args).toBeNull();
    expect(look(check, [], 'lb-2').args).toEqual(expect.arrayContaining([VIP]));
  }
});

test.each<[string, string[][]]>([
  ['nobody answers', [NETWORK]],
  ['it is ours already', [['ours']]],
  [
    'the other balancer holds it',
    [NETWORK, ['answers', '02:00:00:00:00:22', 'eth0'], ['holder', '10.20.0.22', '02:00:00:00:00:22']],
  ],
])('virtual address: no problem when %s', (_what, rows) => {
  expect(look(virtualAddress, rows).problems).toEqual([]);
});

test('an address that lies in no network of the host is refused, with its networks', () => {
  const rows = [
    ['network', 'eth0', '192.0.2.5/24'],
    ['network', 'eth1', '10.30.0.1/16'],
  ];
  expect(look(virtualAddress, rows).problems).toEqual([
    {
      code: 'VIP_OUTSIDE_SUBNET',
      message: `the virtual address ${VIP} of the load balancers lies in no network of this host`,
      evidence: 'ip -4 addr: eth0 192.0.2.5/24, eth1 10.30.0.1/16',
    },
  ]);
});

test('the interface of the spec must have the network', () => {
  const [found] = look(virtualAddress, [NETWORK], 'lb-1', { interface: 'eth1' }).problems;
  expect(found).toMatchObject({ code: 'VIP_OUTSIDE_SUBNET', message: expect.stringContaining('no network of eth1') });
});

test('another machine that answers is named by its MAC and its other address', () => {
  const rows = [
    NETWORK,
    ['answers', '02:00:00:00:00:99', 'eth0'],
    ['holder', '10.20.0.22', '02:00:00:00:00:22'],
    ['same', '10.20.0.99', 'eth0'],
  ];
  expect(look(virtualAddress, rows).problems).toEqual([
    {
      code: 'VIP_IN_USE',
      message: `the virtual address ${VIP} of the load balancers is in use: 02:00:00:00:00:99, which is also 10.20.0.99 answers for it`,
      evidence: `ARP on eth0: ${VIP} is at 02:00:00:00:00:99, which is also 10.20.0.99; the load balancers are 10.20.0.21, 10.20.0.22`,
    },
  ]);
});

test('an address that this host has from elsewhere is in use', () => {
  const [found] = look(virtualAddress, [NETWORK, ['here', 'eth0']]).problems;
  expect(found).toMatchObject({ code: 'VIP_IN_USE', message: expect.stringContaining('on eth0') });
});

const heard = (source: string, id: string) => ['heard', source, '02:00:00:00:00:99', '3', id, '150', '10.20.0.77'];

test.each<[string, string[][]]>([
  ['nothing is heard', []],
  ['another router has another id', [heard('10.20.0.99', '52')]],
  ['it is a balancer of the cluster', [heard('10.20.0.22', '51')]],
])('router id: no problem when %s', (_what, rows) => {
  expect(look(routerId, rows).problems).toEqual([]);
});

test('another router with the id is named, with what it announces and the ids that are taken', () => {
  expect(look(routerId, [heard('10.20.0.98', '7'), heard('10.20.0.99', '51')]).problems).toEqual([
    {
      code: 'VRID_IN_USE',
      message: 'the VRRP router id 51 of the load balancers is in use: 10.20.0.99 advertises it',
      evidence:
        '224.0.0.18: 10.20.0.99 (02:00:00:00:00:99), VRRPv3, router id 51, priority 150, for 10.20.0.77; router ids heard: 7, 51',
    },
  ]);
});
