import { z } from 'zod';
import { type ClusterSpec, kubeHosts } from '../../../contracts/cluster.ts';
import { dnsLabel, ipv4, labelKey, labelValue } from '../../../contracts/primitives.ts';
import type { Guard } from '../guard.ts';

/** How packets get from node to node: in VXLAN, as they are by routes that BGP exchanges, or in IP-in-IP. */
export const CALICO_MODES = ['vxlan', 'bgp', 'ipip'] as const;
export type CalicoMode = (typeof CALICO_MODES)[number];

/** Numbers of autonomous systems have 32 bits (RFC 6793). */
const asNumber = z.int().min(1).max(4_294_967_295);

const peer = z.strictObject({
  address: ipv4.describe('Of a router, or of a host with BGP of its own'),
  asNumber,
  nodes: z
    .array(dnsLabel)
    .min(1)
    .max(100)
    .optional()
    .describe('Nodes that connect to it; default: all of them. Names of hosts of the spec'),
});

/** Above this number of nodes Calico's watches are too many for the API servers (Calico's own documentation). */
const TYPHA_ABOVE_NODES = 50;
/** Nodes of one Typha: Calico recommends one for every 100 to 200 nodes, and three or more. */
const NODES_PER_TYPHA = 150;
const LEAST_TYPHAS = 3;
const MOST_TYPHAS = 20;

export const calicoOptions = z.strictObject({
  mode: z
    .enum(CALICO_MODES)
    .default('vxlan')
    .describe(
      'vxlan: works on every network; bgp: no encapsulation, the nodes share a layer 2 network or have BGP peers; ipip: less overhead than vxlan, for kernels with the module ipip',
    ),
  blockSize: z
    .int()
    .min(20)
    .max(32)
    .default(26)
    .describe('Length of the networks that nodes take out of the range of pods: 26 has 64 addresses'),
  natOutgoing: z
    .boolean()
    .default(true)
    .describe('True: pods reach addresses outside the cluster with the address of their node (masquerading)'),
  nodeSelector: z
    .record(labelKey, labelValue)
    .refine((labels) => Object.keys(labels).length <= 16, 'must have at most 16 labels')
    .default({})
    .describe('Labels of the nodes whose pods get addresses of the range; default: all nodes'),
  bgp: z
    .strictObject({
      asNumber: asNumber.default(64_512),
      nodeMesh: z.boolean().default(true).describe('Each node connects to each other one; for up to about 100 nodes'),
      peers: z.array(peer).max(50).default([]),
    })
    .prefault({})
    .describe('Of the modes bgp and ipip'),
  typha: z
    .strictObject({
      replicas: z
        .int()
        .min(0)
        .max(MOST_TYPHAS)
        .optional()
        .describe(`Default: none up to ${TYPHA_ABOVE_NODES} nodes; above, 3 or one for every ${NODES_PER_TYPHA} nodes`),
    })
    .prefault({}),
  felix: z
    .strictObject({
      logSeverity: z.enum(['Debug', 'Info', 'Warning', 'Error', 'Fatal']).default('Info'),
      iptablesBackend: z
        .enum(['nft', 'legacy', 'auto'])
        .default('nft')
        .describe('nft: as the iptables of all supported distributions'),
      defaultEndpointToHostAction: z
        .enum(['Accept', 'Return', 'Drop'])
        .default('Accept')
        .describe('Packets of pods to their own node that no policy is about'),
      refreshSeconds: z
        .int()
        .min(10)
        .max(3600)
        .default(90)
        .describe('Seconds after which rules and routes are compared with those of the kernel'),
    })
    .prefault({}),
  calicoctl: z.boolean().default(true).describe('Install calicoctl on control planes'),
});
export type CalicoOptions = z.output<typeof calicoOptions>;

/** Who may inject routes, and what pods reach on their nodes. */
export const CALICO_GUARDED: readonly Guard[] = [
  { option: 'bgp.peers' },
  { option: 'felix.defaultEndpointToHostAction' },
];

/** How many Typhas stand between the nodes and the API servers. Pure. */
export function typhaReplicas(cluster: ClusterSpec, { typha }: Pick<CalicoOptions, 'typha'>): number {
  const nodes = kubeHosts(cluster).length;
  if (typha.replicas !== undefined) return typha.replicas;
  if (nodes <= TYPHA_ABOVE_NODES) return 0;
  return Math.min(MOST_TYPHAS, Math.max(LEAST_TYPHAS, Math.ceil(nodes / NODES_PER_TYPHA)));
}
