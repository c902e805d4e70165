import { z } from 'zod';
import { logLevel } from '../../kube/options/control-plane.ts';
import { featureGates } from '../../kube/options/feature-gates.ts';
import { kubeletOptions } from '../../kube/options/kubelet.ts';
import { configOverrides, extraArgs } from '../option-types.ts';
import { PROXY_MODES, proxyMode } from './kube-proxy.ts';

/** Options of kubelet and kube-proxy, whichever engine starts them. */
export const nodeOptions = z.strictObject({
  kubelet: z.strictObject({ config: configOverrides, extraArgs, ...kubeletOptions }).prefault({}),
  kubeProxy: z
    .strictObject({
      mode: z
        .enum(PROXY_MODES)
        .default('nftables')
        .describe('How kube-proxy leads traffic to services; none: the pod network does it, and no kube-proxy runs'),
      config: configOverrides,
      extraArgs,
      featureGates,
      logLevel,
    })
    .prefault({}),
});
export type NodeOptions = z.output<typeof nodeOptions>;

export const runsProxy = (kubeProxy: NodeOptions['kubeProxy']): boolean => proxyMode(kubeProxy) !== 'none';
