import { test } from 'vitest';
import docker from '../../activities/phases/docker/phase.ts';
import { expectGolden, type GoldenCase } from './golden.ts';

const AUTHORITY = '-----BEGIN CERTIFICATE-----\nFAKE\n-----END CERTIFICATE-----\n';

test.each<GoldenCase>([
  { name: 'defaults', host: 'worker-1', phases: { docker: {} } },
  {
    name: 'cgroup-v1',
    host: 'worker-1',
    facts: { cgroup: 1 },
    phases: { docker: { cgroupDriver: 'cgroupfs', restrictOomScoreAdj: true, openFilesLimit: 20_000 } },
  },
  {
    name: 'selinux',
    host: 'worker-1',
    facts: { packageManager: 'dnf', selinux: 'enforcing' },
    phases: { docker: { packages: 'docker-ce' } },
  },
  {
    name: 'docker-ce',
    host: 'worker-1',
    mirror: false,
    phases: {
      docker: {
        packages: 'docker-ce',
        criDockerdVersion: '0.3.26',
        dataRoot: '/srv/docker',
        liveRestore: false,
        logs: { maxSizeMiB: 10, maxFiles: 5 },
        daemon: { 'log-level': 'warn', features: { 'containerd-snapshotter': false } },
      },
    },
  },
  {
    name: 'registries',
    host: 'worker-1',
    phases: { docker: {} },
    registries: [
      { host: 'docker.io', mirrors: ['https://mirror.example.com:5000', 'http://mirror.local:5000'] },
      { host: 'mirror.example.com:5000', ca: AUTHORITY },
      { host: 'private.example.com', credential: { name: 'private' } },
      { host: 'harbor.example.com:8443', credential: { name: 'harbor' }, clientCertificate: { name: 'harbor-client' } },
      { host: 'plain.example.com:8080', plainHttp: true },
    ],
  },
  {
    name: 'proxy',
    host: 'worker-1',
    phases: { docker: {} },
    proxy: { https: 'http://proxy.example.com:3128/' },
  },
])('docker: $name', (golden) => expectGolden(docker, golden));
