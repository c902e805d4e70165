import { API_VERSION } from '../../../contracts/cluster.ts';

const CONTROL_PLANES = 3;

/** A cluster of `hosts` machines: three control planes with etcd, the first also registry and time server, the rest workers. */
export function simulatedSpec(name: string, hosts: number): unknown {
  return {
    apiVersion: API_VERSION,
    kind: 'Cluster',
    metadata: { name },
    spec: {
      ssh: { user: 'root', credential: { keyFile: '/dev/null' } },
      // A /24 for each of 1,000 nodes.
      network: { podCidr: '10.128.0.0/10' },
      hosts: Array.from({ length: hosts }, (_, index) => ({
        name: index < CONTROL_PLANES ? `cp-${index + 1}` : `worker-${index + 1 - CONTROL_PLANES}`,
        address: `192.168.${Math.floor(index / 250)}.${(index % 250) + 1}`,
        roles: index >= CONTROL_PLANES ? ['worker'] : controlPlaneRoles(index),
      })),
    },
  };
}

const controlPlaneRoles = (index: number): string[] => [
  'control-plane',
  'etcd',
  ...(index === 0 ? ['registry', 'time-server'] : []),
];
