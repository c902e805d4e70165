import pLimit from 'p-limit';
import { KubewrightError } from '../contracts/errors.ts';

/** Reads at once, and those that may wait: each holds a whole history, which has up to 60,000 events. */
const AT_ONCE = 3;
const WAITING = 50;

/**
 * A gate before expensive reads: who asks for what is just being read gets the same answer, and few are read at once.
 * The returned function throws RATE_LIMITED when too many wait.
 */
export function sharedReads<T>(): (name: string, read: () => Promise<T>) => Promise<T> {
  const running = new Map<string, Promise<T>>();
  const limit = pLimit(AT_ONCE);
  return async (name, read) => {
    const known = running.get(name);
    if (known) return await known;
    if (limit.pendingCount >= WAITING) {
      throw new KubewrightError(
        'RATE_LIMITED',
        'too many histories are being read; repeat the request in some seconds',
      );
    }
    const fresh = limit(read).finally(() => running.delete(name));
    running.set(name, fresh);
    return await fresh;
  };
}
