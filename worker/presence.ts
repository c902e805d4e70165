import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Processes } from '../store/processes.ts';

/** How often a worker writes that it is alive, ms. `/readyz` of the API misses five of these. */
const REPORT_MS = 2_000;

export interface PresenceOptions {
  processes: Processes;
  /** Rejects when Temporal does not answer the worker. */
  ping: () => Promise<void>;
  logger: { warn(details: object, message: string): void; info(message: string): void };
}

/**
 * Writes to the store every 2 s that this worker is alive and whether Temporal answers it, from now until the returned
 * function is called. A store that does not take it is logged once, not at each time.
 */
export function keepPresence({ processes, ping, logger }: PresenceOptions): () => Promise<void> {
  const id = randomUUID();
  const ending = new AbortController();
  let warned = false;
  const once = async (): Promise<void> => {
    const state = await ping().then(
      () => 'working' as const,
      () => 'no-temporal' as const,
    );
    try {
      await processes.report({ id, kind: 'worker', state });
      if (warned) logger.info('the store accepts reports of this worker again');
      warned = false;
    } catch (error) {
      if (!warned) logger.warn({ err: error }, 'the store does not accept reports of this worker');
      warned = true;
    }
  };
  const run = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      await once();
      await sleep(REPORT_MS, undefined, { signal: ending.signal }).catch(() => undefined);
    }
  };
  const running = run();
  return async () => {
    ending.abort();
    await running;
    // Without this row the API reports at once that no worker runs. An unreachable store costs only that.
    await processes.remove(id).catch(() => undefined);
  };
}
