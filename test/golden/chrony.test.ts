import { test } from 'vitest';
import chrony from '../../activities/phases/chrony/phase.ts';
import { expectGolden, type GoldenCase } from './golden.ts';

const twoTimeServers = [
  { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd', 'time-server'] },
  { name: 'worker-1', address: '10.20.0.12', roles: ['worker', 'time-server'] },
];

const noRoles = [
  { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd'] },
  { name: 'images', address: '10.20.0.19', roles: ['registry'] },
];

test.each<GoldenCase>([
  { name: 'server' },
  { name: 'client', host: 'worker-1' },
  { name: 'client-in-container', host: 'worker-1', facts: { virtualization: 'systemd-nspawn' } },
  { name: 'rhel-client', host: 'worker-1', facts: { packageManager: 'dnf' } },
  { name: 'server-of-two', hosts: twoTimeServers, phases: { chrony: { pool: ['10.0.0.1'], allow: '10.20.0.0/24' } } },
  { name: 'pool-for-all', hosts: noRoles },
])('chrony: $name', (golden) => expectGolden(chrony, golden));
