import type { Notes } from '../../store/notes.ts';

/**
 * What phases remember of their cluster from one operation to the next, in our store: short texts by name
 * (`<phase>/<what>`), never secrets.
 */
export interface ClusterNotes {
  get(name: string): Promise<string | null>;
  /** In mode `check` nothing is written. */
  set(name: string, text: string): Promise<void>;
  /** Name → text of those whose name begins with the prefix. */
  list(prefix: string): Promise<ReadonlyMap<string, string>>;
}

export function clusterNotes(notes: Notes, cluster: string, mode: 'apply' | 'check'): ClusterNotes {
  return {
    get: (name) => notes.get(cluster, name),
    set: (name, text) => (mode === 'apply' ? notes.set(cluster, name, text) : Promise.resolve()),
    list: (prefix) => notes.list(cluster, prefix),
  };
}
