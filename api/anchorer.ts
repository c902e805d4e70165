import { setTimeout as sleep } from 'node:timers/promises';
import { anchorHash, groupsOf, signAnchor } from '../audit/anchor.ts';
import { type AnchorMemory, readAnchorMemory, writeAnchorMemory } from '../audit/anchor-memory.ts';
import type { Signer } from '../audit/signing-key.ts';
import type { AnchorSink } from '../audit/sinks/sink.ts';
import { ACTORS } from '../contracts/messages.ts';
import type { StoredAnchor } from '../store/anchors.ts';
import type { Store } from '../store/index.ts';
import { NO_HASH } from '../store/journal-record.ts';
import { recordIssue, tokenIssue } from './record-issue.ts';

export interface AnchorerOptions {
  store: Pick<Store, 'anchors' | 'journal' | 'tokens'>;
  signer: Signer;
  dataDir: string;
  sinks: readonly AnchorSink[];
  /** How long a link waits for a signature, ms. */
  everyMs: number;
  logger?: { warn(details: object, message: string): void; error(details: object, message: string): void } | undefined;
}

/**
 * Signs the heads of all chains at short intervals, and hands the anchors to the external sinks. Every API process does:
 * an anchor's number is taken by the one that writes it first. Workers have no key.
 */
export interface Anchorer {
  /** Sign now what is not signed yet. */
  sign(): Promise<void>;
  /** Signs and delivers from now on. Returns the function that ends it, after a last time. */
  start(): () => Promise<void>;
}

/** Links that are read at once: their heads are in memory. */
const LINKS = 5_000;
/** Anchors of one delivery. */
const PER_DELIVERY = 100;
/** A sink that does not take anchors is tried again after a second, then twice as long each time, ms. */
const RETRY_MS = { first: 1_000, most: 60_000 };
/** Tries when other processes sign at the same moment. */
const TRIES = 20;
const PAGE = 500;

export function createAnchorer({ store, signer, dataDir, sinks, everyMs, logger }: AnchorerOptions): Anchorer {
  let memory: AnchorMemory = readAnchorMemory(dataDir) ?? { n: 0, hash: NO_HASH, delivered: {} };
  let turn: Promise<void> = Promise.resolve();

  function remember(change: Partial<AnchorMemory>): void {
    memory = { ...memory, ...change };
    writeAnchorMemory(dataDir, memory);
  }

  /** The anchor that the next one follows. What this process remembers counts when the database has less. */
  async function newest(): Promise<{ n: number; hash: string; pos: number } | null> {
    const last = await store.anchors.last();
    const known = memory.n > 0 ? await store.anchors.find(memory.n) : null;
    if (memory.n > 0 && (known === null || anchorHash(known.entry) !== memory.hash)) {
      logger?.error(
        { anchor: memory.n, newest: last?.n ?? 0 },
        'the database does not have an anchor that this service signed: an older database was restored, or the anchor was changed or deleted',
      );
      if ((last?.n ?? 0) < memory.n) return { n: memory.n, hash: memory.hash, pos: last?.pos ?? 0 };
    }
    return last && { n: last.n, hash: anchorHash(last.entry), pos: last.pos };
  }

  async function signAll(): Promise<void> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      let last = await newest();
      const first = last === null;
      if (first) await adoptTokens(store);
      const before = first ? await store.journal.position() : undefined;
      const { pos, links, heads } = await store.anchors.stretch(last?.pos ?? 0, LINKS);
      if (links === 0) return;
      let taken = false;
      const groups = groupsOf(heads);
      for (const [index, group] of groups.entries()) {
        const n = (last?.n ?? 0) + 1;
        const content = {
          ...{ n, prev: last?.hash ?? NO_HASH, at: new Date().toISOString(), heads: group },
          // Only the last group completes the stretch.
          pos: index === groups.length - 1 ? pos : (last?.pos ?? 0),
          ...(n === 1 && before !== undefined ? { before } : {}),
        };
        const anchor: StoredAnchor = { n, pos: content.pos, entry: signAnchor(signer, content) };
        if (!(await store.anchors.add(anchor))) {
          taken = true;
          break;
        }
        last = { n, hash: anchorHash(anchor.entry), pos: anchor.pos };
        remember({ n, hash: last.hash });
      }
      if (!taken && links < LINKS) return;
      // A long stretch is no contention: it goes on as long as there is more.
      if (!taken) tries = 0;
    }
    logger?.warn({}, 'other processes sign at the same time: the next round signs the rest');
  }

  function sign(): Promise<void> {
    const next = turn.then(signAll);
    turn = next.catch(() => undefined);
    return next;
  }

  /** Hands everything to a sink that it does not have. */
  async function deliver(sink: AnchorSink): Promise<void> {
    for (;;) {
      const after = memory.delivered[sink.name] ?? 0;
      const page = await store.anchors.list(after, PER_DELIVERY);
      if (page.length === 0) return;
      await sink.send(page.map(({ entry }) => entry));
      remember({ delivered: { ...memory.delivered, [sink.name]: page.at(-1)!.n } });
    }
  }

  async function deliverAlways(sink: AnchorSink, signal: AbortSignal): Promise<void> {
    let wait = 0;
    while (!signal.aborted) {
      try {
        await deliver(sink);
        wait = 0;
      } catch (error) {
        if (wait === 0)
          logger?.warn(
            { err: error, sink: sink.name },
            'the sink did not accept the anchors; the service sends them again',
          );
        wait = Math.min(RETRY_MS.most, wait === 0 ? RETRY_MS.first : wait * 2);
      }
      await pause(wait === 0 ? everyMs : wait, signal);
    }
  }

  async function signAlways(signal: AbortSignal): Promise<void> {
    let failed = false;
    while (!signal.aborted) {
      try {
        await sign();
        failed = false;
      } catch (error) {
        if (!failed)
          logger?.error({ err: error }, 'the service could not sign the heads of the chains; it tries again');
        failed = true;
      }
      await pause(everyMs, signal);
    }
  }

  return {
    sign,
    start() {
      const ending = new AbortController();
      const running = [signAlways(ending.signal), ...sinks.map((sink) => deliverAlways(sink, ending.signal))];
      return async () => {
        ending.abort();
        await Promise.all(running);
        await sign();
        for (const sink of sinks) {
          await deliver(sink).catch((error: unknown) =>
            logger?.warn(
              { err: error, sink: sink.name },
              'the sink did not accept the last anchors; the next start of the service sends them',
            ),
          );
        }
      };
    },
  };
}

/**
 * Before the first anchor: tokens from before the journal was a chain get the record that they lack. From then on a token
 * without one was put there behind our back.
 */
async function adoptTokens({ journal, tokens }: Pick<Store, 'journal' | 'tokens'>): Promise<void> {
  const issued = new Set<string>();
  for (let cursor: string | undefined; ; ) {
    const { items, next } = await journal.list({ cluster: '', kind: 'issue', limit: PAGE, cursor });
    for (const { argv } of items) {
      const id = argv.find((word) => word.startsWith('id='));
      if (argv[0] === 'token' && id !== undefined) issued.add(id.slice(3));
    }
    if (next === null) break;
    cursor = next;
  }
  for (let after = ''; ; ) {
    const page = await tokens.check(after, PAGE);
    for (const { info, digest } of page) {
      if (issued.has(info.id) || info.revokedAt !== null) continue;
      await recordIssue(journal, { actor: ACTORS.service, requestId: '' }, tokenIssue(info, digest));
    }
    if (page.length < PAGE) return;
    after = page.at(-1)!.info.id;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
