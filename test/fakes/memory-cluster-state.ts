import type { ClusterStateStore } from '../../store/cluster-state.ts';

/** Notes in memory. */
export function memoryClusterState(): ClusterStateStore {
  const all = new Map<string, Map<string, string>>();
  const of = (cluster: string) => all.get(cluster) ?? all.set(cluster, new Map()).get(cluster)!;
  return {
    get: async (cluster, name) => of(cluster).get(name) ?? null,
    set: async (cluster, name, text) => void of(cluster).set(name, text),
    list: async (cluster, prefix) => new Map([...of(cluster)].filter(([name]) => name.startsWith(prefix))),
    remove: async (cluster, name) => void (name === undefined ? all.delete(cluster) : of(cluster).delete(name)),
  };
}
