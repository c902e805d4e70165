import { z } from 'zod';
import { defineCapability } from '../capability.ts';

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
