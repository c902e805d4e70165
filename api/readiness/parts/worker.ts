import type { Processes } from '../../../store/processes.ts';
import { type Check, defineReadiness } from '../readiness.ts';

/** A worker writes every 2 s (worker/presence.ts); after this long without, ms, it is not there. */
const MISSING_MS = 10_000;

export interface WorkerCheckOptions {
  processes: Pick<Processes, 'list'>;
  /** Embedded: false while the supervised worker process is down. */
  up?: (() => boolean) | undefined;
  /** Monotonic, ms; for tests. */
  now?: (() => number) | undefined;
}

/**
 * At least one worker wrote of itself lately, and Temporal answers it. Ages are taken from when a row was seen to change,
 * by our own clock: a worker's clock may be wrong. Only what the first look finds is judged by its own time.
 */
export function workerCheck({ processes, up, now = () => performance.now() }: WorkerCheckOptions): Check {
  const seen = new Map<string, { seenAt: string; at: number }>();
  const ageOf = (id: string, seenAt: string): number => {
    const known = seen.get(id);
    if (known && known.seenAt === seenAt) return now() - known.at;
    const at = known ? now() : now() - Math.max(0, Date.now() - Date.parse(seenAt));
    seen.set(id, { seenAt, at });
    return now() - at;
  };
  return {
    name: 'worker',
    meaning: 'A worker runs and reaches Temporal',
    async run() {
      if (up && !up()) return { state: 'missing', cause: 'the worker process ended, and the API restarts it' };
      const rows = await processes.list('worker');
      for (const id of seen.keys()) if (!rows.some((row) => row.id === id)) seen.delete(id);
      const alive = rows.filter(({ id, seenAt }) => ageOf(id, seenAt) < MISSING_MS);
      if (alive.length === 0) return { state: 'missing', cause: 'no worker has reported for 10 s' };
      if (alive.every(({ state }) => state !== 'working')) {
        return { state: 'missing', cause: 'no worker reaches Temporal' };
      }
      return { state: 'ok' };
    },
  };
}

export default defineReadiness(({ store, embedded }) =>
  workerCheck({ processes: store.processes, up: embedded?.workerUp }),
);
