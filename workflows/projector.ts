import { CancellationScope, condition, sleep } from '@temporalio/workflow';

/** Statuses up to this many tasks are written with every change; larger ones are spaced out. */
const SMALL = 100;
/** A 600-task status of 100 KiB is written every 1.2 s. */
const MS_PER_TASK = 2;
const LONGEST_MS = 5_000;

/**
 * Carries every change out of the workflow: coalesced per activation, one write at a time, the last state always
 * written. Never awaited by tasks.
 */
export class Projector {
  private readonly write: () => Promise<void>;
  private readonly size: () => number;
  private dirty = false;
  private busy = false;
  private lastMs = 0;

  /** `write` takes the state of the moment when it is called; `size` is the number of tasks. */
  constructor(write: () => Promise<void>, size: () => number) {
    this.write = write;
    this.size = size;
  }

  /** Something changed. */
  touch(): void {
    this.dirty = true;
    // A cancelled workflow still has to say so.
    if (!this.busy) void CancellationScope.nonCancellable(() => this.drain());
  }

  /** Resolves when everything is written. */
  async settled(): Promise<void> {
    await condition(() => !this.busy && !this.dirty);
  }

  private async drain(): Promise<void> {
    this.busy = true;
    try {
      while (this.dirty) {
        // Conditions are asked again after all jobs of an activation: ten completions in one are one write.
        let asked = 0;
        await condition(() => asked++ > 0);
        const pauseMs = this.lastMs + this.intervalMs() - Date.now();
        if (pauseMs > 0) await sleep(pauseMs);
        this.dirty = false;
        this.lastMs = Date.now();
        await this.write();
      }
    } finally {
      this.busy = false;
    }
  }

  private intervalMs(): number {
    return this.size() <= SMALL ? 0 : Math.min(LONGEST_MS, this.size() * MS_PER_TASK);
  }
}
