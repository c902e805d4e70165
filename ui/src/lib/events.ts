import type { QueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import type { Answer } from './api.ts';
import { type TaskEvent, withTasks } from './merge-tasks.ts';
import type { OperationDetail } from './models.ts';

/** Whether changes arrive: `live`; `cut` while we read every few seconds instead. */
export type Connection = 'connecting' | 'live' | 'cut';

/** Wait before a new connection, ms: the first, and the longest. EventSource itself gives up after an answer that is no stream. */
const AGAIN_MS = 1_000;
const AGAIN_MOST_MS = 15_000;
/** Period of reading while the stream is cut, ms. */
const POLL_MS = 4_000;
/** Events are put into the cache together after this time, ms: 50 a second are few renderings. */
const TOGETHER_MS = 100;

let connection: Connection = 'connecting';
const listeners = new Set<() => void>();
function setConnection(next: Connection) {
  if (next === connection) return;
  connection = next;
  for (const each of listeners) each();
}
/** The state of the event stream. */
export const useConnection = (): Connection =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => connection,
  );

interface Named {
  cluster: string;
  operationId: string;
}

/** Keys of the query cache that events keep up to date. */
export const keys = {
  clusters: ['clusters'] as const,
  cluster: (name: string) => ['cluster', name] as const,
  /** The operation of a cluster as the list shows it, which is read again every few seconds while it runs. */
  progress: (cluster: string, id: string) => ['progress', cluster, id] as const,
  operation: (cluster: string, id: string) => ['operation', cluster, id] as const,
};

/**
 * One event stream of all clusters that feeds the query cache until it is stopped. It continues behind the last event that it
 * saw; while it is cut, the active queries are read again and again.
 */
export function followEvents(cache: QueryClient): () => void {
  let source: EventSource | undefined;
  let last: string | undefined;
  let failures = 0;
  let again: ReturnType<typeof setTimeout> | undefined;
  let together: ReturnType<typeof setTimeout> | undefined;
  let tasks: TaskEvent[] = [];
  let operations = new Map<string, OperationDetail>();
  const refresh = () =>
    cache.invalidateQueries({ predicate: ({ queryKey: [first] }) => first !== 'session', refetchType: 'active' });
  const poll = setInterval(() => {
    if (connection === 'cut') void refresh();
  }, POLL_MS);

  const flush = () => {
    together = undefined;
    // An answer that is under way may be older than these events: they wait for it.
    const waits = ({ cluster, operationId }: Named) =>
      cache.isFetching({ queryKey: keys.operation(cluster, operationId) }) > 0;
    const newTasks = tasks.filter((task) => !waits(task));
    const newOperations = [...operations.values()].filter((operation) => !waits(operation));
    tasks = tasks.filter(waits);
    operations = new Map([...operations].filter(([, operation]) => waits(operation)));
    if (tasks.length + operations.size > 0) later();
    const update = (of: Named, change: (old: OperationDetail) => OperationDetail) =>
      cache.setQueryData<Answer<OperationDetail>>(keys.operation(of.cluster, of.operationId), (old) => {
        if (!old) return old;
        const body = change(old.body);
        return { body, etag: body.version === undefined ? old.etag : `"${body.operationId}:${body.version}"` };
      });
    for (const operation of newOperations) update(operation, (old) => ({ ...old, ...operation }));
    for (const events of Map.groupBy(newTasks, ({ cluster, operationId }) => `${cluster} ${operationId}`).values()) {
      update(events[0]!, (old) => withTasks(old, events));
    }
    for (const name of new Set(newOperations.map(({ cluster }) => cluster))) {
      void cache.invalidateQueries({ queryKey: keys.cluster(name) });
      void cache.invalidateQueries({ queryKey: ['progress', name] });
    }
    if (newOperations.length > 0) void cache.invalidateQueries({ queryKey: keys.clusters });
    // Blocked hosts are those of the tasks.
    for (const name of new Set(newTasks.flatMap(({ state, cluster }) => (state === 'blocked' ? [cluster] : [])))) {
      void cache.invalidateQueries({ queryKey: keys.cluster(name) });
    }
  };
  const later = () => {
    together ??= setTimeout(flush, TOGETHER_MS);
  };

  const open = () => {
    again = undefined;
    const stream = new EventSource(last === undefined ? '/events' : `/events?after=${encodeURIComponent(last)}`);
    source = stream;
    const seen = (event: MessageEvent) => {
      if (event.lastEventId !== '') last = event.lastEventId;
    };
    const first = last === undefined;
    stream.addEventListener('ready', (event) => {
      seen(event);
      const wasCut = failures > 0;
      failures = 0;
      setConnection('live');
      // What changed between the first reads and the begin of the stream.
      if (first || wasCut) void refresh();
    });
    stream.addEventListener('missed', (event) => {
      seen(event);
      void refresh();
    });
    stream.addEventListener('operation', (event) => {
      seen(event);
      const data = JSON.parse(event.data) as OperationDetail;
      operations.set(`${data.cluster}/${data.operationId}`, data);
      later();
    });
    stream.addEventListener('task', (event) => {
      seen(event);
      tasks.push(JSON.parse(event.data) as TaskEvent);
      later();
    });
    stream.onerror = () => {
      failures++;
      setConnection('cut');
      stream.close();
      again ??= setTimeout(open, Math.min(AGAIN_MS * 2 ** (failures - 1), AGAIN_MOST_MS));
    };
  };
  open();
  return () => {
    source?.close();
    clearTimeout(again);
    clearTimeout(together);
    clearInterval(poll);
    setConnection('connecting');
  };
}
