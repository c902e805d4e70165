import { setTimeout as sleep } from 'node:timers/promises';
import { signMark } from '../audit/pruning-mark.ts';
import type { Signer } from '../audit/signing-key.ts';
import { ACTORS } from '../contracts/messages.ts';
import { RETAINED, type Retained, type Retention } from '../contracts/retention.ts';
import type { Store } from '../store/index.ts';
import { recordRemoval } from './record-issue.ts';

export interface RetentionOptions {
  store: Pick<Store, 'retention' | 'chains' | 'journal'>;
  /** Signs the marks behind which pruned chains begin. */
  signer: Signer;
  keep: Retention;
  logger?: { info(details: object, message: string): void; warn(details: object, message: string): void } | undefined;
}

const DAY_MS = 24 * 3_600_000;
/** How often the store is searched for what is too old, ms. */
const EVERY_MS = 3_600_000;
/** Rows or chains of one kind at one time. */
const AT_ONCE = 500;
/** An output that was stored in the last day may be named by a record that is about to be written. */
const BLOB_DAYS = 1;

/** Removes what was kept for as long as the configuration says. */
export interface Janitor {
  /** Once, now: how much of each was removed. What fails is in the log, and the rest goes on. */
  sweep(now?: number): Promise<Partial<Record<Retained, number>>>;
  /** From now on. Returns the function that ends it. */
  start(): () => Promise<void>;
}

export function createJanitor({ store, signer, keep, logger }: RetentionOptions): Janitor {
  const { retention } = store;
  /** In the order of RETAINED: an output goes when no record names it, an operation when its chain is gone. */
  const removers: Record<Retained, (before: string) => Promise<number>> = {
    requests: (before) => retention.requests(before),
    events: (before) => retention.events(before),
    blobs: (before) => retention.blobs(before, AT_ONCE),
    bundles: (before) => retention.operations(before, AT_ONCE),
    async tokens(before) {
      const ids = await retention.deadTokens(before, AT_ONCE);
      for (const id of ids) {
        // First the record: a token that is missing without one was removed by other means.
        await recordRemoval(store.journal, { actor: ACTORS.service, requestId: '' }, id);
        await retention.removeToken(id);
      }
      return ids.length;
    },
    async journal(before) {
      let links = 0;
      for (const { chain, n, hash } of await retention.sealedChains(before, AT_ONCE)) {
        const reason = 'retention of the journal; its bundle holds it';
        const entry = signMark(signer, { chain, n, hash, at: new Date().toISOString(), reason });
        // Sealed: the operation is over. A record without an end is of an attempt that died.
        links += await store.chains.prune({ chain, n, hash, entry }, { over: true });
      }
      return links;
    },
  };

  async function sweep(now = Date.now()): Promise<Partial<Record<Retained, number>>> {
    const removed: Partial<Record<Retained, number>> = {};
    for (const what of RETAINED) {
      const days = keep[what];
      if (days === undefined) continue;
      const kept = what === 'blobs' ? Math.max(days, BLOB_DAYS) : days;
      try {
        removed[what] = await removers[what](new Date(now - kept * DAY_MS).toISOString());
      } catch (error) {
        logger?.warn({ err: error, what }, 'retention could not delete expired data');
      }
    }
    const done = Object.entries(removed).filter(([, count]) => count > 0);
    if (done.length > 0) logger?.info({ removed: Object.fromEntries(done) }, 'retention deleted expired data');
    return removed;
  }

  return {
    sweep,
    start() {
      const ending = new AbortController();
      const running = (async () => {
        while (!ending.signal.aborted) {
          await sweep();
          await sleep(EVERY_MS, undefined, { signal: ending.signal, ref: false }).catch(() => undefined);
        }
      })();
      return async () => {
        ending.abort();
        await running;
      };
    },
  };
}
