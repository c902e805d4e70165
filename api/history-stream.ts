import { setTimeout as sleep } from 'node:timers/promises';
import { printableJson } from '../contracts/printable.ts';
import { type JournalEntry, RECORD_FIELDS } from '../contracts/record.ts';
import type { Journal, JournalFilter } from '../store/journal.ts';

/** Records read at once. */
const PAGE = 200;
/** How long we wait before we look again, ms. */
const POLL_MS = 500;
/** An empty line now and then keeps proxies from closing a quiet stream, ms. */
const HEARTBEAT_MS = 15_000;

/** A line of a stream: a record, with its position when it is followed. */
export type Streamed = { entry: JournalEntry; pos?: number; part?: 'begin' | 'end' } | null;

/** Lines of one stream that wait for its reader, beside the records of the page that they are of. */
export const LINES_BUFFERED = 4;

/** Every record that the filter names, page by page, until the signal. */
export async function* listed(
  journal: Journal,
  filter: JournalFilter & { order: 'oldest' | 'newest' },
  signal: AbortSignal,
): AsyncGenerator<Streamed> {
  for (let cursor: string | undefined; ; ) {
    const { items, next } = await journal.list({ ...filter, limit: PAGE, cursor });
    for (const entry of items) {
      if (signal.aborted) return;
      yield { entry };
    }
    if (next === null) return;
    cursor = next;
  }
}

/** Where a stream begins, and when it ends. */
export interface Following {
  /** The position behind which it begins. */
  after: number;
  signal: AbortSignal;
  /** True once nothing more will be written. */
  over: () => Promise<boolean>;
}

/** Halves of records, as they are written. Null: still here. */
export async function* followed(
  journal: Journal,
  filter: JournalFilter,
  { after, signal, over }: Following,
): AsyncGenerator<Streamed> {
  let idleSince = Date.now();
  yield null;
  for (let last = after; !signal.aborted; ) {
    // Asked before the journal is: what was written until then is still sent.
    const ended = await over();
    const stretch = await journal.follow(filter, last, PAGE);
    for (const item of stretch.items) {
      if (signal.aborted) return;
      yield item;
    }
    if (stretch.items.length > 0) idleSince = Date.now();
    const idle = stretch.last === last;
    last = stretch.last;
    if (!idle) continue;
    if (ended) return;
    if (Date.now() - idleSince >= HEARTBEAT_MS) {
      idleSince = Date.now();
      yield null;
    }
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}

export async function* ndjsonOf(entries: AsyncIterable<Streamed>): AsyncGenerator<string> {
  for await (const each of entries) {
    yield each === null ? '\n' : `${jsonLine({ ...each.entry, pos: each.pos, part: each.part })}\n`;
  }
}

export async function* serverSentOf(entries: AsyncIterable<Streamed>): AsyncGenerator<string> {
  for await (const each of entries) {
    yield each === null ? ': here\n\n' : `id: ${each.pos}\nevent: ${each.part}\ndata: ${jsonLine(each.entry)}\n\n`;
  }
}

/** RFC 4180, with a header line. */
export async function* csvOf(entries: AsyncIterable<Streamed>): AsyncGenerator<string> {
  yield `${RECORD_FIELDS.join(',')}\r\n`;
  for await (const each of entries) {
    if (each === null) continue;
    yield `${RECORD_FIELDS.map((name) => csvCell(each.entry[name])).join(',')}\r\n`;
  }
}

/**
 * A value as a cell. Spreadsheets run what begins as a formula: such a text gets an apostrophe before it. What acts on
 * a terminal, or on the direction of writing, is written as JSON may write it.
 */
export function csvCell(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const visible = printableJson(text.replace(/[\n\r\t]/g, (char) => JSON.stringify(char).slice(1, -1)));
  const harmless = /^\s*[=+\-@|%＝＋－＠]/.test(visible) && typeof value === 'string' ? `'${visible}` : visible;
  return /[",\\']/.test(harmless) || harmless !== text ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

const jsonLine = (value: object): string => printableJson(JSON.stringify(value));
