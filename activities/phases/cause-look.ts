import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { Host } from '../../contracts/host.ts';
import type { ClusterState } from './cluster-state.ts';

/** How a phase looks for the cause of another task's error: at any host, and without a change. */
export interface CauseLook {
  cluster: ClusterSpec;
  clusterState: ClusterState;
  /** What a script prints on a host of the cluster. Throws where it cannot be reached, or is another cluster's. */
  ask: (host: Host, script: string, args: readonly string[]) => Promise<string>;
  signal: AbortSignal;
}
