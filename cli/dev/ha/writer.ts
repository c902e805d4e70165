import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Answer, Stream } from './kube-client.ts';

/** Time between two writes, ms: 20 objects a second, in turn over the kept connection and over new ones. */
const WRITE_EVERY_MS = 50;
/**
 * A write takes 5 to 30 ms on lab hosts; one that has no answer after a second is lost for a client that wants to go on.
 * kubectl and controllers wait longer (client-go pings a silent connection after 30 s), and do not retry faster.
 */
const ATTEMPT_MS = 1_000;
/** Time between a failed attempt and the next, ms. */
const RETRY_MS = 100;
/** How long writes that are open at the end, and the list, may go on trying, ms. */
const END_MS = 60_000;
const PAGE = 500;

const streamReport = z.object({
  acknowledged: z.int(),
  /** Longest time between two acknowledged writes, ms, or to the end where the last ones were never acknowledged. */
  gapMs: z.number(),
  /** When it began, ms since the epoch. */
  gapAt: z.number(),
});

/** What the client saw from its start to its end. */
export const writerReport = z.object({
  streams: z.object({ kept: streamReport, new: streamReport }),
  /** Attempts without an acknowledgement, by cause. */
  failures: z.record(z.string(), z.int()),
  /** Writes that were never acknowledged. */
  open: z.int(),
  /** Acknowledged objects that are absent, or have other content, when all are listed at the end. */
  missing: z.array(z.string()),
});
export type WriterReport = z.infer<typeof writerReport>;

/** Sends one request over one of the two kinds of connection. */
export type Send = (
  stream: Stream,
  method: string,
  path: string,
  body: object | undefined,
  timeoutMs: number,
) => Promise<Answer>;

interface Written {
  number: number;
  stream: Stream;
  at: number;
}

const listed = z.object({
  metadata: z.object({ continue: z.string().optional() }),
  items: z.array(
    z.object({ metadata: z.object({ name: z.string() }), data: z.record(z.string(), z.string()).optional() }),
  ),
});

/** Writes numbered ConfigMaps until it is stopped, each until it is acknowledged, and reads all of them at the end. */
export class Writer {
  readonly #send: Send;
  readonly #path: string;
  readonly #prefix: string;
  readonly #acknowledged: Written[] = [];
  readonly #failures = new Map<string, number>();
  readonly #writes: Promise<void>[] = [];
  readonly #startedAt = Date.now();
  #open = 0;
  #giveUpAt = Infinity;
  #stopped = false;
  readonly #loop: Promise<void>;

  /** Starts to write. `prefix` begins the names of the objects and is not used by another run. */
  constructor(send: Send, namespace: string, prefix: string) {
    this.#send = send;
    this.#path = `/api/v1/namespaces/${namespace}/configmaps`;
    this.#prefix = prefix;
    this.#loop = this.#run();
  }

  /** Ends the writes, waits for those that are open, and compares what was acknowledged with what there is. */
  async stop(): Promise<WriterReport> {
    this.#stopped = true;
    this.#giveUpAt = Date.now() + END_MS;
    await this.#loop;
    await Promise.all(this.#writes);
    const endedAt = Date.now();
    const there = await this.#list();
    return {
      streams: { kept: this.#streamReport('kept', endedAt), new: this.#streamReport('new', endedAt) },
      failures: Object.fromEntries(this.#failures),
      open: this.#open,
      missing: this.#acknowledged
        .filter(({ number, stream }) => there.get(this.#name(number)) !== contentOf(number, stream))
        .map(({ number }) => this.#name(number)),
    };
  }

  async #run(): Promise<void> {
    for (let number = 0; !this.#stopped; number += 1) {
      this.#writes.push(this.#write(number, number % 2 === 0 ? 'kept' : 'new'));
      // By the clock: a busy machine does not make it write less.
      await sleep(Math.max(0, this.#startedAt + (number + 1) * WRITE_EVERY_MS - Date.now()));
    }
  }

  async #write(number: number, stream: Stream): Promise<void> {
    const metadata = { name: this.#name(number) };
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { content: contentOf(number, stream) } };
    this.#open += 1;
    for (let attempt = 1; ; attempt += 1) {
      const cause = await this.#send(stream, 'POST', this.#path, object, ATTEMPT_MS).then(
        // It is there already where the answer of an earlier attempt was lost.
        ({ status }) => (status === 201 || (status === 409 && attempt > 1) ? null : `HTTP ${status}`),
        (error: NodeJS.ErrnoException) => error.code ?? error.message,
      );
      if (cause === null) break;
      this.#failures.set(cause, (this.#failures.get(cause) ?? 0) + 1);
      if (Date.now() > this.#giveUpAt) return;
      await sleep(RETRY_MS);
    }
    this.#open -= 1;
    this.#acknowledged.push({ number, stream, at: Date.now() });
  }

  #streamReport(stream: Stream, endedAt: number): z.infer<typeof streamReport> {
    const times = this.#acknowledged.filter((each) => each.stream === stream).map(({ at }) => at);
    const marks = [this.#startedAt, ...times, ...(this.#open > 0 ? [endedAt] : [])];
    return { acknowledged: times.length, ...longestGap(marks) };
  }

  /** Content by name, of all objects of this run. Throws when they cannot be read. */
  async #list(): Promise<Map<string, string | undefined>> {
    const found = new Map<string, string | undefined>();
    for (let next: string | undefined = ''; next !== undefined; ) {
      const query = new URLSearchParams({ limit: String(PAGE), ...(next === '' ? {} : { continue: next }) });
      const page: z.infer<typeof listed> = await this.#page(`${this.#path}?${query.toString()}`);
      for (const { metadata, data } of page.items) found.set(metadata.name, data?.['content']);
      next = page.metadata.continue || undefined;
    }
    return found;
  }

  async #page(path: string): Promise<z.infer<typeof listed>> {
    for (;;) {
      try {
        const { status, body } = await this.#send('new', 'GET', path, undefined, 10 * ATTEMPT_MS);
        if (status !== 200) throw new Error(`GET ${path}: HTTP ${status} ${body.slice(0, 500)}`);
        return listed.parse(JSON.parse(body));
      } catch (error) {
        if (Date.now() > this.#giveUpAt) throw error;
        await sleep(RETRY_MS);
      }
    }
  }

  readonly #name = (number: number): string => `${this.#prefix}-${number}`;
}

const contentOf = (number: number, stream: Stream): string => `${number} over a ${stream} connection`;

/** The longest time between neighbours of these moments, in any order, and when it began. */
export function longestGap(moments: readonly number[]): { gapMs: number; gapAt: number } {
  const sorted = [...moments].sort((a, b) => a - b);
  let longest = { gapMs: 0, gapAt: sorted[0] ?? 0 };
  for (const [index, at] of sorted.slice(1).entries()) {
    const gapMs = at - sorted[index]!;
    if (gapMs > longest.gapMs) longest = { gapMs, gapAt: sorted[index]! };
  }
  return longest;
}
