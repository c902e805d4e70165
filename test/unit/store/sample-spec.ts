import type { ClusterSpec } from '../../../contracts/cluster.ts';

/** A spec of one host, with its defaults. */
export const spec = (name: string, version = '1.36.3'): ClusterSpec => ({
  apiVersion: 'kubewright.dev/v1alpha1',
  kind: 'Cluster',
  metadata: { name },
  spec: {
    kubernetes: { version },
    hosts: [
      { name: 'cp-1', address: '10.0.0.1', roles: ['control-plane', 'etcd'], labels: {}, taints: [], phases: {} },
    ],
    ssh: { credential: { name: 'key' } },
    network: { podCidr: '10.244.0.0/16', serviceCidr: '10.96.0.0/16', clusterDomain: 'cluster.local' },
    artifacts: {},
    policy: { onHostFailure: 'wait', maxQuarantined: '20%' },
    phases: {},
  },
});
