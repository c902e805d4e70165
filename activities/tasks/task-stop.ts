import { KubewrightError } from '../../contracts/errors.ts';
import type { CommandRecorder } from '../host/types.ts';

/** How a paused task ends: at once, or between two commands. Counts the commands that run. */
export class TaskStop {
  readonly #readPause: () => Promise<void>;
  readonly #controller = new AbortController();
  #running = 0;
  #draining = false;

  /** `readPause` finds out now whether there is a pause, and says so by `now` or `drain`. */
  constructor(readPause: () => Promise<void> = () => Promise.resolve()) {
    this.#readPause = readPause;
  }

  /** Fires when the task is to end because of a pause. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** End with what runs now. */
  now(): void {
    this.#controller.abort();
  }

  /** Let no further command begin, and end once none runs. */
  drain(): void {
    this.#draining = true;
    this.#endWhenIdle();
  }

  /** A command is about to begin. Throws TASK_PAUSED when none may: a drain would have to wait for it. */
  async begin(): Promise<void> {
    await this.#readPause();
    if (this.#draining || this.signal.aborted)
      throw new KubewrightError('TASK_PAUSED', 'paused before its next command');
    this.#running += 1;
  }

  end(): void {
    this.#running -= 1;
    this.#endWhenIdle();
  }

  #endWhenIdle(): void {
    if (this.#draining && this.#running === 0) this.#controller.abort();
  }
}

/** The same recorder, which checks for a stop before each command and reports its end; commands that kill others are exempt. */
export function stoppable(recorder: CommandRecorder, stop: TaskStop): CommandRecorder {
  return {
    async begin(record) {
      if (record.kind === 'stop') return recorder.begin(record);
      await stop.begin();
      try {
        const open = await recorder.begin(record);
        return { seq: open.seq, end: (ended) => open.end(ended).finally(() => stop.end()) };
      } catch (error) {
        stop.end();
        throw error;
      }
    },
  };
}
