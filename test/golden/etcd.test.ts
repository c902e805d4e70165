import { test } from 'vitest';
import etcd from '../../activities/phases/etcd/phase.ts';
import { expectGolden, type GoldenCase } from './golden.ts';

test.each<GoldenCase>([
  { name: 'three-members', host: 'worker-2' },
  {
    name: 'alone-tuned',
    hosts: [{ name: 'cp-1', address: 'cp-1.example.org', roles: ['control-plane', 'etcd', 'worker'] }],
    phases: { etcd: { dataDir: '/data/etcd', quotaBytes: 8_589_934_592, heartbeatMs: 250, electionMs: 2500 } },
  },
])('etcd: $name', (golden) => expectGolden(etcd, golden));
