import { z } from 'zod';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { defineCapability } from '../capability.ts';
import type { Requirements } from '../requires.ts';

/** What gives pods their addresses, and lets them reach each other. */
export const podNetwork = defineCapability({
  name: 'pod-network',
  choice: true,
  bound: 'the addresses and links of all running pods come from it',
  data: z.strictObject({
    mtu: z
      .int()
      .min(576)
      .max(65_535)
      .nullable()
      .describe('MTU of the links of pods, bytes; null: the network finds it out'),
    overhead: z
      .int()
      .min(0)
      .max(200)
      .describe('Bytes by which it makes a packet larger that goes from node to node; 0: it has no tunnel'),
    enforcesPolicies: z.boolean().describe('NetworkPolicy objects have an effect'),
    needsPodCidr: z
      .boolean()
      .describe('The controller manager has to give each node a podCIDR; false: the network assigns addresses itself'),
    privilegedPods: z
      .boolean()
      .optional()
      .describe('It runs privileged pods, which `apiServer.allowPrivileged: false` would refuse. Default false'),
    replacesKubeProxy: z
      .boolean()
      .optional()
      .describe(
        'It leads traffic to services itself: `spec.phases.nodes.kubeProxy.mode: none` goes with it. Default false',
      ),
  }),
});

/** What a pod network requires of the links between nodes where the spec gives the MTU of pods. Pure. */
export function packetsBetweenNodes({ spec }: ClusterSpec, overhead: number): Pick<Requirements, 'packets'> {
  const { mtu } = spec.network;
  if (mtu === undefined) return {};
  return {
    packets: { bytes: mtu + overhead, what: `spec.network.mtu ${mtu}, overhead of the pod network ${overhead}` },
  };
}
