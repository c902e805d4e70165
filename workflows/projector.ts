import { CancellationScope, condition } from '@temporalio/workflow';

/** Changes of up to this many tasks are written at once. */
const SMALL = 100;
/** Above, writes are spaced out; ever more, so that an operation of hours does not fill its history with them. */
const FIRST_MS = 1_000;
const MORE_MS = 20;
const LONGEST_MS = 10_000;
/** A write that is due goes out with whatever happens next: cheaper than a timer, which is for when nothing does. */
const MAX_INTERVALS = 3;

/**
 * Carries every change out of the workflow: coalesced per activation, one write at a time, the last state always
 * written. Never awaited by tasks.
 */
export class Projector {
  private readonly write: () => Promise<void>;
  private readonly size: () => number;
  private dirty = false;
  private urgent = false;
  private busy = false;
  private lastMs = 0;
  private writes = 0;

  /** `write` takes the state of the moment when it is called; `size` is the number of tasks. */
  constructor(write: () => Promise<void>, size: () => number) {
    this.write = write;
    this.size = size;
  }

  /** Something changed. `urgent`: a caller may wait for this. */
  touch(urgent = false): void {
    this.dirty = true;
    this.urgent ||= urgent;
    // A cancelled workflow still has to say so.
    if (!this.busy) void CancellationScope.nonCancellable(() => this.drain());
  }

  /** Resolves when everything is written. */
  async settled(): Promise<void> {
    this.urgent = true;
    await condition(() => !this.busy && !this.dirty);
  }

  private async drain(): Promise<void> {
    this.busy = true;
    try {
      while (this.dirty) {
        // Conditions are asked again after all jobs of an activation: ten completions in one are one write.
        let asked = 0;
        await condition(() => asked++ > 0);
        const interval = this.intervalMs();
        const isDue = () => this.urgent || Date.now() >= this.lastMs + interval;
        if (!isDue()) await condition(isDue, MAX_INTERVALS * interval);
        this.dirty = false;
        this.urgent = false;
        this.lastMs = Date.now();
        this.writes += 1;
        await this.write();
      }
    } finally {
      this.busy = false;
    }
  }

  private intervalMs(): number {
    return this.size() <= SMALL ? 0 : Math.min(LONGEST_MS, FIRST_MS + this.writes * MORE_MS);
  }
}
