import { setTimeout as sleep } from 'node:timers/promises';

/** One run of a supervised part, such as one process. */
export interface Running {
  /** Resolves with the reason when it has ended without `stop`. */
  ended: Promise<string>;
  /** End it; resolves when it is gone. */
  stop(): Promise<void>;
}

export interface SupervisorOptions<Part extends Running> {
  /** For the log and for `/readyz`. */
  name: string;
  /** Starts it and resolves when it does its work. `again`: what ran before. */
  start: (again: Part | null) => Promise<Part>;
  logger: { warn(details: object, message: string): void; info(details: object, message: string): void };
  /** Called once when it does not stay up; it is not started any more. */
  onGiveUp: (reason: string) => void;
  /** For tests; see the defaults. */
  pace?: Partial<Pace> | undefined;
}

/** How often a part that ends is started again. */
export interface Pace {
  /** Before the first restart, ms; doubled for each failure in a row. */
  firstMs: number;
  /** Longest pause, ms. */
  longestMs: number;
  /** Failures in a row, early ends included, until it is given up: half a minute with these pauses. */
  limit: number;
  /** A part that ran for so long, ms, has begun a new row. */
  steadyMs: number;
}

const PACE: Pace = { firstMs: 200, longestMs: 10_000, limit: 8, steadyMs: 60_000 };

/** A part of the service that is started again when it ends. */
export interface Supervisor<Part extends Running> {
  /** The present run, or the last one. */
  readonly part: Part;
  /** False from the end of a run until the next one does its work. */
  readonly up: boolean;
  /** End the part and do not start it again. */
  stop(): Promise<void>;
}

/** Starts a part and keeps it up. Throws what the first start throws; later failures are repeated with growing pauses. */
export async function supervise<Part extends Running>(options: SupervisorOptions<Part>): Promise<Supervisor<Part>> {
  const { name, start, logger, onGiveUp } = options;
  const pace = { ...PACE, ...options.pace };
  const ending = new AbortController();
  let part = await start(null);
  let up = true;
  let failures = 0;

  const run = async (): Promise<void> => {
    for (;;) {
      const since = performance.now();
      const reason = await Promise.race([part.ended, aborted(ending.signal)]);
      if (ending.signal.aborted) return;
      up = false;
      if (performance.now() - since > pace.steadyMs) failures = 0;
      logger.warn({ part: name, reason }, 'a part of the service ended; the API restarts it');
      if (!(await again(reason ?? ''))) return;
    }
  };

  /** Start it until it is up. False: given up, or the service ends. */
  const again = async (why: unknown): Promise<boolean> => {
    let reason = why;
    for (;;) {
      failures += 1;
      if (failures > pace.limit) {
        onGiveUp(`${name} does not stay up: ${textOf(reason)}`);
        return false;
      }
      const pause = Math.min(pace.longestMs, pace.firstMs * 2 ** (failures - 1));
      await sleep(pause, undefined, { signal: ending.signal }).catch(() => undefined);
      if (ending.signal.aborted) return false;
      const began = performance.now();
      try {
        part = await start(part);
        up = true;
        logger.info(
          { part: name, ms: Math.round(performance.now() - began), failures },
          'the API restarted a part of the service',
        );
        return true;
      } catch (error) {
        reason = error;
        logger.warn({ part: name, err: error, failures }, 'the API could not restart a part of the service');
      }
    }
  };

  const running = run();
  return {
    get part() {
      return part;
    },
    get up() {
      return up;
    },
    async stop() {
      ending.abort();
      // A start that is under way comes to its end first: what it started is then ended, too.
      await running;
      await part.stop();
    },
  };
}

const textOf = (reason: unknown): string => (reason instanceof Error ? reason.message : String(reason));

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null);
    signal.addEventListener('abort', () => resolve(null), { once: true });
  });
}
