import { expect, test } from 'vitest';
import { linkOf } from '../../../activities/phases/links.ts';
import { balancerIssues } from '../../../activities/phases/load-balancer/issues.ts';
import { options } from '../../../activities/phases/load-balancer/options.ts';
import loadBalancer from '../../../activities/phases/load-balancer/phase.ts';
import { priorityOf, routerIdOf } from '../../../activities/phases/load-balancer/topology.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { phaseValidator } from '../../../api/validate-phases.ts';
import { type Sample, sampleCluster, sampleContext } from '../../golden/golden.ts';

const phases = await loadPhases();
const plane = (n: number, ...more: string[]) => ({
  name: `cp-${n}`,
  address: `10.20.0.1${n}`,
  roles: ['control-plane', 'etcd', ...more],
});
const balancer = (n: number, more: object = {}) => ({
  ...{ name: `lb-${n}`, address: `10.20.0.2${n}`, roles: ['load-balancer'] },
  ...more,
});
const apart = [plane(1), balancer(1), balancer(2)];
const issuesOf = (sample: Sample) => {
  const cluster = sampleCluster(sample);
  return phaseValidator(phases)(cluster).map(({ path, message }) => `${path}: ${message}`);
};
const VIP = '10.20.0.100';
const keepalived = (values: object) => ({ 'load-balancer': { keepalived: values } });

test.each<[string, Sample]>([
  ['two balancers share an address', { hosts: apart, endpoint: { host: VIP } }],
  ['two balancers behind a DNS name', { hosts: apart, endpoint: { host: 'api.example.test' } }],
  [
    'a DNS name that leads to a virtual address',
    { hosts: apart, endpoint: { host: 'api.example.test' }, phases: keepalived({ address: VIP }) },
  ],
  ['one balancer by its own address', { hosts: apart.slice(0, 2), endpoint: { host: '10.20.0.21' } }],
  ['one balancer without a host', { hosts: apart.slice(0, 2), endpoint: { provider: 'load-balancer' } }],
  [
    'on control planes with another port',
    { hosts: [plane(1, 'load-balancer')], endpoint: { host: '10.20.0.11', port: 8443 } },
  ],
  [
    'an interface of one host',
    {
      hosts: [plane(1), balancer(1, { phases: keepalived({ interface: 'bond0' }) }), balancer(2)],
      endpoint: { host: VIP },
    },
  ],
])('is accepted: %s', (_what, sample) => {
  expect(issuesOf(sample)).toEqual([]);
});

test.each<[string, Sample, RegExp]>([
  [
    'no host of the role',
    { hosts: [plane(1)], endpoint: { provider: 'load-balancer', host: VIP } },
    /^spec\.hosts: no host has the role load-balancer/,
  ],
  [
    'two balancers without a host',
    { hosts: apart, endpoint: { provider: 'load-balancer' } },
    /endpoint\.host: is required with 2 load balancers/,
  ],
  [
    'two balancers by the address of one',
    { hosts: apart, endpoint: { host: '10.20.0.21' } },
    /10\.20\.0\.21 is the address of one host/,
  ],
  [
    'the address of a host that is no balancer',
    { hosts: apart, endpoint: { host: '10.20.0.11' } },
    /a host without the role load-balancer/,
  ],
  [
    'an address of nobody, and no keepalived',
    { hosts: apart, endpoint: { host: VIP }, phases: keepalived({ enabled: false }) },
    /keepalived\.enabled: 10\.20\.0\.100 is the address of no host/,
  ],
  [
    'keepalived without an address',
    { hosts: apart, endpoint: { host: 'api.example.test' }, phases: keepalived({ enabled: true }) },
    /there is no virtual address/,
  ],
  [
    'the virtual address of a host',
    { hosts: apart, endpoint: { host: 'api.example.test' }, phases: keepalived({ address: '10.20.0.22' }) },
    /keepalived\.address: 10\.20\.0\.22 is the address of a host/,
  ],
  [
    'two addresses',
    { hosts: apart, endpoint: { host: VIP }, phases: keepalived({ address: '10.20.0.101' }) },
    /clients would not use it/,
  ],
  ['an address of pods', { hosts: apart, endpoint: { host: '10.244.0.9' } }, /is in spec\.network\.podCidr/],
  [
    'balancers without addresses',
    { hosts: [plane(1), balancer(1, { address: 'lb-1.example.test' }), balancer(2)], endpoint: { host: VIP } },
    /hosts\[1\]\.internalAddress: must be an IPv4 address/,
  ],
  [
    'a flavour of one host',
    {
      hosts: [plane(1), balancer(1, { phases: { 'load-balancer': { flavour: 'nginx' } } }), balancer(2)],
      endpoint: { host: VIP },
    },
    /hosts\[1\]\.phases\.load-balancer\.flavour: is the same for all/,
  ],
  [
    'the port of the API server on its machine',
    { hosts: [plane(1, 'load-balancer')], endpoint: { host: '10.20.0.11' } },
    /the port 6443\/tcp cannot be that of two programs: (haproxy of the phase load-balancer and kube-apiserver of the phase master|kube-apiserver of the phase master and haproxy of the phase load-balancer); set spec\.controlPlane\.endpoint\.port to another port/,
  ],
])('is refused with its place: %s', (_what, sample, message) => {
  const found = issuesOf(sample);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(message);
});

test('the router id is the same for the same cluster and address, and differs between clusters', () => {
  const of = (name: string) => {
    const cluster = sampleCluster({ hosts: apart, endpoint: { host: VIP } });
    return routerIdOf({ ...cluster, metadata: { name } }, VIP, options.parse({}));
  };
  expect(of('one')).toBe(of('one'));
  const ids = Array.from({ length: 100 }, (_, index) => of(`cluster-${index}`));
  expect(new Set(ids).size).toBeGreaterThan(50);
  expect(Math.min(...ids)).toBeGreaterThanOrEqual(1);
  expect(Math.max(...ids)).toBeLessThanOrEqual(255);
  const given = options.parse({ keepalived: { routerId: 7 } });
  expect(routerIdOf(sampleCluster({ hosts: apart, endpoint: { host: VIP } }), VIP, given)).toBe(7);
});

test('each balancer has its own priority, the first one the highest', () => {
  const cluster = sampleCluster({ hosts: apart, endpoint: { host: VIP } });
  expect(cluster.spec.hosts.slice(1).map((host) => priorityOf(cluster, host))).toEqual([254, 249]);
});

test('the interface is the one with the narrowest network of the address; the address itself is no network', () => {
  const networks = [
    { link: 'lo', address: VIP, bits: 32 },
    { link: 'eth0', address: '10.20.1.5', bits: 16 },
    { link: 'eth1', address: '10.20.0.5', bits: 24 },
  ];
  expect(linkOf(networks, VIP)).toBe('eth1');
  expect(linkOf(networks, '192.0.2.1')).toBeUndefined();
});

test('a host without a network of the address stops with its networks', async () => {
  const sample = { hosts: apart, endpoint: { host: VIP }, host: 'lb-1' };
  const context = await sampleContext(loadBalancer, {
    ...sample,
    facts: { networks: [{ link: 'eth0', address: '192.0.2.5', bits: 24 }] },
  });
  await expect(async () => loadBalancer.resources!(context)).rejects.toMatchObject({
    code: 'VIP_OUTSIDE_SUBNET',
    evidence: expect.stringContaining('eth0 192.0.2.5/24'),
  });
});

test('it offers address, port, names for certificates and the time that draining takes', () => {
  const cluster = sampleCluster({
    hosts: apart,
    endpoint: { host: 'api.example.test' },
    phases: keepalived({ address: VIP }),
  });
  const [offer] = loadBalancer.offers!;
  const data = offer!.from({
    cluster,
    host: cluster.spec.hosts[0]!,
    options: options.parse({ keepalived: { address: VIP } }),
  });
  expect(data).toEqual({
    ...{ host: 'api.example.test', port: 6443, forClients: true, drainSeconds: expect.any(Number) },
    certificateNames: ['api.example.test', VIP, 'lb-1', '10.20.0.21', 'lb-2', '10.20.0.22'],
  });
});

test('more balancers than a certificate can name are refused', () => {
  const hosts = [
    plane(1),
    ...Array.from({ length: 17 }, (_, n) => balancer(n, { name: `lb-${n}`, address: `10.20.1.${n + 1}` })),
  ];
  const cluster = sampleCluster({ hosts, endpoint: { host: VIP } });
  expect(balancerIssues({ cluster, options: options.parse({}) })[0]?.message).toContain('at most 16');
});
