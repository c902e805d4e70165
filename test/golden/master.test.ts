import { test } from 'vitest';
import master from '../../activities/phases/master/phase.ts';
import { expectGolden, type GoldenCase } from './golden.ts';

test.each<GoldenCase>([
  { name: 'defaults' },
  {
    name: 'second-of-two',
    host: 'cp-2',
    hosts: [
      { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd'] },
      { name: 'cp-2', address: '203.0.113.12', internalAddress: '10.20.0.12', roles: ['control-plane'] },
    ],
    network: { podCidr: '10.100.0.0/14', serviceCidr: '172.30.0.0/20', clusterDomain: 'prod.example.org' },
    phases: {
      master: {
        endpoint: 'api.example.org',
        certificateNames: ['198.51.100.7'],
        encryption: 'aesgcm',
        audit: { enabled: false },
        apiServer: { extraArgs: { 'max-requests-inflight': '800', 'anonymous-auth': 'false' } },
        controllerManager: { extraArgs: { 'terminated-pod-gc-threshold': '1000' } },
        scheduler: { extraArgs: { v: '2' } },
      },
    },
  },
  {
    name: 'typed-options',
    network: { podCidr: '30.0.0.0/8', serviceCidr: '172.16.0.0/12', clusterDomain: 'lab.example.org' },
    phases: {
      master: {
        audit: {
          policy: {
            rules: [
              {
                level: 'RequestResponse',
                users: ['ann'],
                verbs: ['delete'],
                resources: [{ group: 'apps', resources: ['*'] }],
              },
              { level: 'None', nonResourceURLs: ['/metrics*'], omitStages: ['ResponseStarted'] },
            ],
          },
        },
        apiServer: {
          admissionPlugins: {
            enable: ['PodNodeSelector', 'AlwaysPullImages'],
            disable: ['DenyServiceExternalIPs', 'Priority'],
          },
          allowPrivileged: true,
          bindAddress: 'internal',
          nodePortRange: '31000-31999',
          featureGates: { WatchList: true, AllAlpha: false },
          logLevel: 3,
        },
        controllerManager: { bindAddress: '0.0.0.0', logLevel: 2 },
        scheduler: { featureGates: { AllBeta: true } },
      },
    },
  },
  {
    name: 'external-etcd',
    hosts: [{ name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'worker'] }],
    phases: {
      etcd: {
        bootstrap: {
          mode: 'external',
          endpoints: ['https://10.9.0.1:2379', 'https://etcd-2.example.com:2379'],
          credential: { name: 'etcd-client' },
          prefix: '/prod',
        },
      },
    },
  },
])('master: $name', (golden) => expectGolden(master, golden));
