import type { Phase } from '../activities/phases/phase.ts';
import type { ClusterSpec } from '../contracts/cluster.ts';
import type { Store } from '../store/index.ts';
import type { TemporalGateway } from './temporal-gateway.ts';

/** What the API needs of the world. Tests give fakes. */
export interface ApiDeps {
  store: Store;
  temporal: TemporalGateway;
  /** In the order of the plan. */
  phases: readonly Phase[];
  /** The admin kubeconfig of a built cluster; null when there is none yet. */
  kubeconfig(cluster: string, spec: ClusterSpec): Promise<string | null>;
  /** A busybox image as the cluster's hosts name it; null when that cannot be told now. */
  smokeImage(spec: ClusterSpec): Promise<string | null>;
  /** How long a dry run is waited for, ms. */
  dryRunWaitMs?: number | undefined;
}
