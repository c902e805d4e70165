import { z } from 'zod';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { clientCertificateUse } from '../../../contracts/credential-use.ts';
import { defineCapability } from '../capability.ts';
import { engineOf } from './control-plane.ts';

/** Where API servers keep their objects: `--etcd-prefix` of kube-apiserver by default. */
export const DEFAULT_PREFIX = '/registry';

/** The etcd that the API servers keep all objects in. */
export const kubernetesStore = defineCapability({
  name: 'kubernetes-store',
  choice: true,
  chosen: { field: 'spec.phases.etcd.bootstrap.mode', by: storeProvider },
  bound: 'all objects of the cluster are in it',
  stays: [{ field: 'prefix', path: 'spec.phases.etcd.bootstrap.prefix' }],
  data: z.strictObject({
    servers: z
      .array(z.string().regex(/^https:\/\/[A-Za-z0-9.-]{1,253}:\d{1,5}$/))
      .min(1)
      .describe('Client URLs, in the order in which the API server of the host tries them'),
    prefix: z.string().regex(/^(\/[A-Za-z0-9._-]+)+$/),
    unit: z
      .string()
      .regex(/^[a-zA-Z0-9:_.@-]{1,200}\.service$/)
      .nullable()
      .describe('systemd unit that starts before the API server where both are on one host'),
    clientCertificate: clientCertificateUse
      .nullable()
      .describe(
        'Stored client certificate, with the authority of the servers; null: of the authority `etcd` of the cluster',
      ),
  }),
});

/** The phase that provides the store: members of our own, unless the spec names an etcd of others. */
function storeProvider(cluster: ClusterSpec): string {
  const { spec } = cluster;
  const bootstrap = spec.phases['etcd']?.['bootstrap'] as { mode?: unknown } | null | undefined;
  if (bootstrap?.mode === 'external') return 'external-etcd';
  return isStacked(cluster) ? 'stacked-etcd' : 'etcd';
}

/** kubeadm runs a member on each control plane: where the spec says so, or where just the control planes have the role etcd. */
function isStacked(cluster: ClusterSpec): boolean {
  if (engineOf(cluster) !== 'kubeadm') return false;
  const given = cluster.spec.controlPlane?.etcd;
  if (given !== undefined) return given === 'stacked';
  return cluster.spec.hosts.every(({ roles }) => roles.includes('etcd') === roles.includes('control-plane'));
}
