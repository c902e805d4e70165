import { test } from 'vitest';
import { stringify } from 'yaml';
import dashboard from '../../activities/phases/dashboard/phase.ts';
import dns from '../../activities/phases/dns/phase.ts';
import metrics from '../../activities/phases/metrics/phase.ts';
import { smokeObjects } from '../../activities/phases/verify/manifests.ts';
import verify from '../../activities/phases/verify/phase.ts';
import { expectGolden, expectGoldenFiles, type GoldenCase } from './golden.ts';

const alone = [{ name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd', 'worker'] }];

test.each<GoldenCase>([
  { name: 'defaults' },
  {
    name: 'alone-upstream',
    hosts: alone,
    mirror: false,
    network: { serviceCidr: '172.30.0.0/20', clusterDomain: 'prod.example.org' },
    phases: { dns: { upstream: ['192.0.2.53', '192.0.2.54'], memoryLimitMiB: 512 } },
  },
  { name: 'nothing-else', hosts: alone, phases: { dns: { upstream: 'none' } } },
])('dns: $name', (golden) => expectGolden(dns, golden));

test.each<GoldenCase>([
  { name: 'defaults' },
  { name: 'upstream-slower', mirror: false, phases: { metrics: { replicas: 2, resolutionSeconds: 30 } } },
])('metrics: $name', (golden) => expectGolden(metrics, golden));

test.each<GoldenCase>([
  { name: 'headlamp' },
  {
    name: 'kube-web-view',
    phases: {
      dashboard: { flavour: 'kube-web-view', service: { type: 'NodePort', nodePort: 30_080 }, showLogs: true },
    },
  },
])('dashboard: $name', (golden) => expectGolden(dashboard, golden));

test('verify: what it remembers, and what it runs', async () => {
  await expectGolden(verify, { name: 'record', phases: { flannel: { backend: 'host-gw' } } });
  const objects = smokeObjects({ image: 'registry.kubewright.internal:5000/busybox:1.35.0', nodes: null });
  expectGoldenFiles(
    'verify/smoke',
    new Map([['smoke.yaml', objects.map((each) => `---\n${stringify(each)}`).join('')]]),
  );
});
