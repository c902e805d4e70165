import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { Host } from '../../contracts/host.ts';
import { kubeletLimits } from '../kube/eviction.ts';
import { containerRuntime } from './capabilities/container-runtime.ts';
import { enabledProvidersOf } from './capabilities.ts';
import { offerOf } from './offers.ts';
import type { Phase } from './phase.ts';

/**
 * The folder of images and containers on a host, as the container runtime of the cluster offers it: its file system is what the kubelet calls
 * `imagefs`. That of the kubelet where no runtime names one. Pure.
 */
export function imageFolder(of: { cluster: ClusterSpec; phases: readonly Phase[] }, host: Host): string {
  const hasRuntime = enabledProvidersOf(of.cluster, containerRuntime.name, of.phases).length === 1;
  const offered = hasRuntime ? offerOf(of, containerRuntime, host).imageFolder : undefined;
  return offered ?? kubeletLimits(of.cluster, host).kubeletRoot;
}
