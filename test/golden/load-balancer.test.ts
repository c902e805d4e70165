import { test } from 'vitest';
import loadBalancer from '../../activities/phases/load-balancer/phase.ts';
import { expectGolden, type GoldenCase } from './golden.ts';

const hosts = [
  { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd'] },
  { name: 'cp-2', address: '10.20.0.12', roles: ['control-plane', 'etcd'] },
  { name: 'cp-3', address: '10.20.0.13', roles: ['control-plane', 'etcd'] },
  { name: 'lb-1', address: '10.20.0.21', roles: ['load-balancer'] },
  { name: 'lb-2', address: '10.20.0.22', roles: ['load-balancer'] },
];
const stacked = hosts.slice(0, 3).map((host) => ({ ...host, roles: [...host.roles, 'load-balancer'] }));
const single = hosts.slice(0, 4);
const two = [
  { link: 'eth0', address: '10.20.0.21', bits: 24 },
  { link: 'eth1', address: '192.0.2.21', bits: 26 },
];
const networks = two.slice(0, 1);
const endpoint = { host: '10.20.0.100' };

test.each<GoldenCase>([
  { name: 'haproxy', hosts, endpoint, facts: { networks } },
  {
    name: 'nginx-second-of-two',
    ...{ hosts, endpoint, host: 'lb-2', facts: { networks } },
    phases: { 'load-balancer': { flavour: 'nginx', maxConnections: 20_000 } },
  },
  {
    name: 'rhel-nginx',
    hosts,
    endpoint,
    facts: { networks, packageManager: 'dnf' },
    phases: { 'load-balancer': { flavour: 'nginx' } },
  },
  { name: 'on-control-planes', hosts: stacked, endpoint: { ...endpoint, port: 8443 }, facts: { networks } },
  {
    name: 'multicast-other-interface',
    hosts,
    endpoint: { host: 'api.example.test' },
    facts: { networks: two },
    phases: {
      'load-balancer': {
        keepalived: { address: '192.0.2.10', mode: 'multicast', routerId: 77, advertIntervalMs: 1000, preempt: true },
      },
    },
  },
  {
    name: 'unicast-other-interface',
    hosts,
    endpoint: { host: '192.0.2.10' },
    facts: { networks: two },
  },
  { name: 'single-by-its-address', hosts: single, endpoint: { host: '10.20.0.21' } },
])('load-balancer: $name', (golden) => expectGolden(loadBalancer, golden));
