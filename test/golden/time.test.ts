import { test } from 'vitest';
import ntpsec from '../../activities/phases/ntpsec/phase.ts';
import timesyncd from '../../activities/phases/systemd-timesyncd/phase.ts';
import { expectGolden, type GoldenCase } from './golden.ts';

const hosts = [
  { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd', 'time-server'] },
  { name: 'worker-1', address: '10.20.0.12', roles: ['worker', 'time-server'] },
  { name: 'worker-2', address: '10.20.0.13', roles: ['worker'] },
];
const withoutRole = hosts.map((host) => ({ ...host, roles: host.roles.filter((role) => role !== 'time-server') }));
const servers = ['10.1.0.1', { address: '10.1.0.2', iburst: false, prefer: true, minPoll: 4, maxPoll: 10 }];

test.each<GoldenCase>([
  { name: 'server-by-address', hosts, phases: { ntpsec: { servers, allow: ['10.20.0.0/16', '192.0.2.0/24'] } } },
  { name: 'server-of-the-pool', hosts, phases: { ntpsec: {} } },
  { name: 'client', host: 'worker-2', hosts, facts: { virtualization: 'systemd-nspawn' }, phases: { ntpsec: {} } },
])('ntpsec: $name', (golden) => expectGolden(ntpsec, golden));

test.each<GoldenCase>([
  {
    name: 'machine',
    hosts: withoutRole,
    phases: { 'systemd-timesyncd': { servers: ['10.1.0.1'], pools: ['time.example.com'] } },
  },
  {
    name: 'container',
    hosts: withoutRole,
    facts: { virtualization: 'systemd-nspawn' },
    phases: { 'systemd-timesyncd': {} },
  },
])('systemd-timesyncd: $name', (golden) => expectGolden(timesyncd, golden));
