import { z } from 'zod';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { dnsLabel, port, version } from '../../../contracts/primitives.ts';
import { rawPhaseOptions } from '../options.ts';
import { FLANNEL } from './artifacts.ts';
import { FLANNEL_BACKENDS, FLANNEL_VXLAN_PORT, FLANNEL_WIREGUARD_PORT } from './backends.ts';

/** flannel's own default is /coreos.com/network: of two clusters with one etcd, each has to have another. */
export const FLANNEL_ETCD_PREFIX = '/kubewright/flannel';

const etcdPrefix = z
  .string()
  .max(200)
  .regex(
    /^(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/,
    'must be a path such as /kubewright/flannel, without a slash at its end; letters, digits and . _ -',
  );

const wireguard = z.strictObject({
  port: port.default(FLANNEL_WIREGUARD_PORT).describe('UDP port'),
  keepaliveSeconds: z
    .int()
    .min(0)
    .max(65_535)
    .default(0)
    .describe('Interval of packets that keep the entry of a NAT between nodes alive; 0: none are sent'),
  presharedKey: z
    .boolean()
    .default(false)
    .describe('Adds a key that all nodes share, made and kept by Kubewright, to the key pairs that each node makes'),
});

export const flannelOptions = z.strictObject({
  version: version.default(FLANNEL.version),
  backend: z
    .enum(FLANNEL_BACKENDS)
    .default('vxlan')
    .describe(
      'vxlan: works on every network; host-gw: faster, needs all hosts in one layer 2 network; udp: for kernels without vxlan, amd64 only; wireguard: encrypted',
    ),
  vxlanPort: port.default(FLANNEL_VXLAN_PORT),
  // Without a default: hosts of earlier versions keep the digest of their options.
  wireguard: wireguard.optional().describe('Settings of the backend wireguard'),
  ipMasq: z
    .boolean()
    .default(true)
    .describe('True: pods reach addresses outside the cluster with the address of their node (masquerading)'),
  // Without defaults from here on: hosts of earlier versions keep the digest of their options.
  subnetManager: z
    .enum(['kubernetes', 'etcd'])
    .optional()
    .describe(
      'Who gives nodes their part of the range of pods: the controller manager (podCIDR of the node), or flannel by leases in the etcd of the cluster. Default: kubernetes',
    ),
  etcdPrefix: etcdPrefix
    .optional()
    .describe(`With subnetManager etcd: prefix of flannel's keys. Default: ${FLANNEL_ETCD_PREFIX}`),
  etcdCredential: z
    .strictObject({ name: dnsLabel })
    .optional()
    .describe(
      'With subnetManager etcd and an etcd of the user: stored credential of kind client-certificate that nodes show. Its user needs the keys below etcdPrefix and no others',
    ),
});
export type FlannelOptions = z.output<typeof flannelOptions>;

/** Leases of flannel in an etcd. */
export interface EtcdSubnets {
  prefix: string;
  /** Name of the client certificate that nodes show; null: of the authority of the cluster's own etcd. */
  credential: string | null;
}

/** How the cluster keeps subnets in etcd; null: it does not. Call it with options that are valid. */
export function etcdSubnetsOf({ subnetManager, etcdPrefix, etcdCredential }: FlannelOptions): EtcdSubnets | null {
  if (subnetManager !== 'etcd') return null;
  return { prefix: etcdPrefix ?? FLANNEL_ETCD_PREFIX, credential: etcdCredential?.name ?? null };
}

/** The options of flannel for the whole cluster. Throws a ZodError on wrong ones. */
export function flannelOptionsOf(cluster: ClusterSpec): FlannelOptions {
  const { enabled: _, ...own } = rawPhaseOptions(cluster, 'flannel');
  return flannelOptions.parse(own);
}
