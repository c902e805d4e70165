/**
 * A task learns of its cancellation from the answer to its heartbeat, so their interval is what an interrupting pause
 * waits for. A few tasks beat this often, ms ...
 */
const SOON_MS = 400;
/** ... and many so much less often that one worker process sends no more than this per second. */
const PER_SECOND = 100;
/** At least so many heartbeats in each timeout, however many tasks run. */
const PER_TIMEOUT = 5;

/** Pause between the heartbeats of a task, ms, while `running` tasks send some. Pure. */
export function beatEveryMs(running: number, timeoutMs: number): number {
  return Math.min(timeoutMs / PER_TIMEOUT, Math.max(SOON_MS, (running * 1000) / PER_SECOND));
}

/** Runs work that heartbeats with its present step until it ends. One for all tasks of a process. `send`: the SDK's heartbeat; `onLate` gets the delay of each. */
export function heartbeats(
  timeoutMs: number,
  send: (details: { step: string }) => void,
  onLate: (seconds: number) => void = () => {},
) {
  let running = 0;
  return async <T>(work: (step: (text: string) => void) => Promise<T>): Promise<T> => {
    let present = 'start';
    let timer: NodeJS.Timeout;
    let due: number;
    const wait = () => {
      const pauseMs = beatEveryMs(running, timeoutMs);
      due = performance.now() + pauseMs;
      timer = setTimeout(beat, pauseMs);
    };
    const beat = () => {
      onLate(Math.max(0, performance.now() - due) / 1000);
      send({ step: present });
      wait();
    };
    running += 1;
    // None at once: most tasks of an unchanged build are over before the first, and each is a write of Temporal's.
    wait();
    try {
      return await work((text) => {
        present = text;
      });
    } finally {
      running -= 1;
      clearTimeout(timer!);
    }
  };
}
