import type { ClusterStateStore } from '../../store/cluster-state.ts';

/**
 * What phases remember of their cluster from one operation to the next, in our store: short texts by name
 * (`<phase>/<what>`), never secrets.
 */
export interface ClusterState {
  get(name: string): Promise<string | null>;
  /** In mode `check` nothing is written. */
  set(name: string, text: string): Promise<void>;
  /** Name → text of those whose name begins with the prefix. */
  list(prefix: string): Promise<ReadonlyMap<string, string>>;
}

export function clusterStateOf(
  clusterState: ClusterStateStore,
  cluster: string,
  mode: 'apply' | 'check',
): ClusterState {
  return {
    get: (name) => clusterState.get(cluster, name),
    set: (name, text) => (mode === 'apply' ? clusterState.set(cluster, name, text) : Promise.resolve()),
    list: (prefix) => clusterState.list(cluster, prefix),
  };
}
