import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '../../../store/index.ts';
import { type Check, defineReadiness } from '../readiness.ts';

/** A write that takes longer, ms, waits for another lock. Below the time of a check. */
const WRITE_MS = 1_500;

/** The store answers, and takes a row of ours: a database that became read-only or is locked still answers. */
export function storeCheck({ ping, processes }: Pick<Store, 'ping' | 'processes'>): Check {
  const id = randomUUID();
  return {
    name: 'store',
    meaning: 'The database answers and accepts writes',
    async run() {
      try {
        await ping();
      } catch (error) {
        return { state: 'unreachable', cause: 'the database does not answer', evidence: error };
      }
      const written = processes.report({ id, kind: 'api', state: 'working' }).then(
        () => null,
        (error: unknown) => ({ error }),
      );
      const failed = await Promise.race([written, sleep(WRITE_MS, { error: new Error('a write is blocked') })]);
      if (failed === null) return { state: 'ok' };
      return { state: 'not-writable', cause: 'the database answers but refuses writes', evidence: failed.error };
    },
  };
}

export default defineReadiness(({ store }) => storeCheck(store));
