import { test } from 'vitest';
import runtime from '../../activities/phases/runtime/phase.ts';
import { expectGolden, type GoldenCase } from './golden.ts';

const AUTHORITY = '-----BEGIN CERTIFICATE-----\nFAKE\n-----END CERTIFICATE-----\n';

const twoTimeServers = [
  { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd', 'time-server'] },
  { name: 'worker-1', address: '10.20.0.12', roles: ['worker', 'time-server'] },
];

test.each<GoldenCase>([
  { name: 'defaults', host: 'worker-1' },
  { name: 'selinux', host: 'worker-1', facts: { packageManager: 'dnf', selinux: 'enforcing' } },
  {
    name: 'cgroup-v1',
    host: 'worker-1',
    facts: { cgroup: 1 },
    phases: { runtime: { config: { systemdCgroup: false, restrictOomScoreAdj: true, openFilesLimit: 20_000 } } },
  },
  {
    name: 'proxy',
    host: 'worker-1',
    proxy: {
      https: 'http://proxy.example.com:3128/',
      noProxy: ['*.corp.example.com', '198.51.100.0/24'],
      credential: { name: 'corp' },
    },
  },
  {
    name: 'registries',
    host: 'worker-1',
    registries: [
      { host: 'docker.io', mirrors: ['https://mirror.example.com:5000', 'https://harbor.example.com/hub'] },
      { host: 'mirror.example.com:5000', ca: AUTHORITY },
      { host: 'private.example.com', credential: { name: 'private' } },
      { host: 'harbor.example.com', credential: { name: 'harbor' }, clientCertificate: { name: 'harbor-client' } },
      { host: 'plain.example.com:8080', plainHttp: true },
    ],
  },
  { name: 'no-registry', mirror: false, hosts: twoTimeServers },
  {
    name: 'overrides',
    phases: {
      runtime: {
        containerd: {
          debug: { level: 'debug' },
          plugins: {
            'io.containerd.cri.v1.runtime': {
              containerd: { runtimes: { kata: { runtime_type: 'io.containerd.kata.v2' } } },
            },
          },
        },
      },
    },
  },
])('runtime: $name', (golden) => expectGolden(runtime, golden));
