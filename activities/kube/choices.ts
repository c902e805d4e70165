import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { Host } from '../../contracts/host.ts';
import { rawPhaseOptions } from '../phases/options.ts';

/**
 * What the spec says under the options of phases that run later, for those that must know beforehand (preflight,
 * prepare). Read as written: the phases themselves check them, and a value of the wrong type counts as not given.
 */
export interface KubeChoices {
  /** The kubelet's `failSwapOn: false`, in its file or as a flag. */
  swapAllowed: boolean;
  /** The kubelet's `failCgroupV1: false`. */
  cgroupV1Allowed: boolean;
  proxyMode: string;
  flannelBackend: string;
}

export function kubeChoices(cluster: ClusterSpec, host?: Host): KubeChoices {
  const read = (phase: string, ...path: string[]): unknown =>
    path.reduce<unknown>(
      (value, key) =>
        typeof value === 'object' && value !== null && Object.hasOwn(value, key)
          ? (value as Record<string, unknown>)[key]
          : undefined,
      rawPhaseOptions(cluster, phase, host),
    );
  const text = (value: unknown, otherwise: string) => (typeof value === 'string' ? value : otherwise);
  const swapFlag = read('nodes', 'kubelet', 'extraArgs', 'fail-swap-on');
  return {
    // The kubelet's flags win over its file.
    swapAllowed:
      swapFlag === undefined ? read('nodes', 'kubelet', 'config', 'failSwapOn') === false : swapFlag === 'false',
    cgroupV1Allowed: read('nodes', 'kubelet', 'config', 'failCgroupV1') === false,
    proxyMode: text(read('nodes', 'kubeProxy', 'config', 'mode') ?? read('nodes', 'kubeProxy', 'mode'), 'nftables'),
    flannelBackend: text(read('flannel', 'backend'), 'vxlan'),
  };
}
