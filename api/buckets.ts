/** Names kept before those that nothing was taken of for a while are forgotten. */
const KEPT = 10_000;
const MINUTE_MS = 60_000;
const FORGOTTEN_MS = 3_600_000;

/** One token bucket per name. */
export class Buckets {
  readonly #levels = new Map<string, { left: number; at: number }>();

  /**
   * Takes one of `name`'s, of which `most` can be had at once (default: what a minute gives). Returns 0, or the seconds
   * after which there will be one.
   */
  take(name: string, perMinute: number, most = perMinute, now = Date.now()): number {
    const level = this.#levels.get(name) ?? { left: most, at: now };
    const gained = (Math.max(0, now - level.at) / MINUTE_MS) * perMinute;
    const left = Math.min(most, level.left + gained);
    const waitMs = left >= 1 ? 0 : ((1 - left) / perMinute) * MINUTE_MS;
    if (this.#levels.size >= KEPT && !this.#levels.has(name)) this.#dropIdle(now);
    this.#levels.set(name, { left: waitMs === 0 ? left - 1 : left, at: now });
    return Math.ceil(waitMs / 1000);
  }

  #dropIdle(now: number): void {
    for (const [name, { at }] of this.#levels) if (now - at >= FORGOTTEN_MS) this.#levels.delete(name);
  }
}
