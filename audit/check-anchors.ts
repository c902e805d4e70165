import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Store } from '../store/index.ts';
import { NO_HASH } from '../store/journal-record.ts';
import { type Anchor, anchorHash, MOST_ANCHOR, readAnchor } from './anchor.ts';
import { HashList } from './hash-list.ts';
import type { Say } from './problem.ts';

const PAGE = 500;

/** What anchors are compared with: the chains as they were walked, and the keys that may have signed. */
export interface AnchorContext {
  /** Hash of a link; undefined: there is none; null: it was pruned. */
  hashOf: (chain: string, n: number) => string | null | undefined;
  /** Sees the fingerprint of each signature, and says whether that key may sign. */
  mayBe: (fingerprint: string) => boolean;
  /** Links ever written, by the row that counts them. */
  links: number;
  say: Say;
}

/** What the anchors of a database say together. */
export interface AnchorFindings {
  /** Hash of each anchor's text by number. */
  hashes: HashList;
  count: number;
  /** When signing began, and how many links were there already. */
  since: string | null;
  before: number;
  /** Links behind the last anchor: nothing has signed them yet. */
  unsigned: number;
}

/** Checks each anchor of the database: form, signature, place in the row of anchors, and the heads that it names. */
export async function checkAnchors(anchors: Store['anchors'], context: AnchorContext): Promise<AnchorFindings> {
  const { say } = context;
  const hashes = new HashList(NO_HASH);
  const heads = new HeadCheck(context);
  let [since, before, pos, count] = [null as string | null, 0, 0, 0];
  let last = 0;
  for (;;) {
    const page = await anchors.list(last, PAGE);
    for (const row of page) {
      const where = 'anchors';
      const record = `anchor ${row.n}`;
      if (row.n > last + 1) {
        const missing = row.n === last + 2 ? `anchor ${last + 1} is` : `anchors ${last + 1} to ${row.n - 1} are`;
        say({ where, record, what: `${missing} missing before it: it was removed, or an older state was put back` });
        while (hashes.last < row.n - 1) hashes.push('');
      }
      const previous = hashes.at(hashes.last);
      hashes.push(anchorHash(row.entry));
      const read = readable(row.entry, context, (what) => say({ where, record, what }));
      const gap = row.n > last + 1;
      last = row.n;
      count += 1;
      if (!read) continue;
      if (read.n !== row.n || read.pos !== row.pos) say({ where, record, what: `its text is of anchor ${read.n}` });
      else if (!gap && read.prev !== previous)
        say({ where, record, what: 'it does not follow on the anchor before it' });
      else if (read.pos < pos) say({ where, record, what: `it covers less than the anchor before it` });
      if (row.n === 1) [since, before] = [read.at, read.before ?? 0];
      pos = read.pos;
      heads.add(read, where);
    }
    if (page.length < PAGE) break;
  }
  if (pos > context.links) {
    say({ where: 'links', what: `anchor ${last} covers ${pos} links, and ${context.links} were written` });
  }
  return { hashes, count, since, before, unsigned: Math.max(0, context.links - pos) };
}

/** Compares the lines of an external sink with the database. Returns how many anchors held. */
export async function checkSink(file: string, hashes: HashList, context: AnchorContext): Promise<number> {
  const { say } = context;
  const heads = new HeadCheck(context);
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
  let number = 0;
  let matching = 0;
  /** A line that could not be read: a write that was cut off, when the next one begins with it. */
  let torn: { text: string; number: number; why: string } | null = null;
  const spoilt = (): void => {
    if (torn) say({ where: 'the sink', record: `line ${torn.number}`, what: torn.why });
    torn = null;
  };
  for await (const line of lines) {
    number += 1;
    // Collectors of syslog put something of their own before it.
    const at = line.indexOf('{"anchor"');
    const text = at < 0 ? line : line.slice(at);
    if (text.trim() === '') continue;
    let why = '';
    const read = text.length > MOST_ANCHOR ? null : readable(text, context, (what) => (why = what));
    if (!read) {
      spoilt();
      torn = { text: text.slice(0, MOST_ANCHOR), number, why: why || 'it is too long for an anchor' };
      continue;
    }
    if (torn && !text.startsWith((torn as { text: string }).text)) spoilt();
    torn = null;
    const record = `line ${number}, anchor ${read.n}`;
    const stored = hashes.at(read.n);
    if (stored === undefined) {
      say({ where: 'the sink', record, what: `it was signed at ${read.at}, and the database no longer has it` });
    } else if (stored !== anchorHash(text)) {
      say({ where: 'the sink', record, what: 'the database has another one in its place' });
    } else matching += 1;
    heads.add(read, 'the sink');
  }
  return matching;
}

function readable(text: string, context: AnchorContext, bad: (what: string) => void): Anchor | null {
  try {
    const { anchor, fingerprint } = readAnchor(text);
    if (context.mayBe(fingerprint)) return anchor;
    bad(`it was signed by ${fingerprint}, which is not the given key`);
  } catch (error) {
    bad(error instanceof Error ? error.message : String(error));
  }
  return null;
}

/** Heads that were signed, against the chains. Says of each chain once from where on it differs. */
class HeadCheck {
  readonly #context: AnchorContext;
  readonly #linkCounts = new Map<string, number>();
  readonly #wrong = new Set<string>();

  constructor(context: AnchorContext) {
    this.#context = context;
  }

  add(anchor: Anchor, where: string): void {
    for (const { chain, n, hash } of anchor.heads) {
      const found = this.#context.hashOf(chain, n);
      if (found === null) continue;
      if (found === hash) {
        this.#linkCounts.set(chain, Math.max(n, this.#linkCounts.get(chain) ?? 0));
        continue;
      }
      if (this.#wrong.has(chain)) continue;
      this.#wrong.add(chain);
      const held = this.#linkCounts.get(chain) ?? 0;
      const which = held < n - 1 ? `one of the links ${held + 1} to ${n}` : `link ${n}`;
      const changed = found === undefined ? 'it is missing now' : `${which} was changed since`;
      const signed = where === 'anchors' ? `anchor ${anchor.n}` : `${where}, anchor ${anchor.n}`;
      this.#context.say({
        where: `journal, chain ${chain}`,
        record: `link ${n}`,
        what: `${signed} of ${anchor.at} signed another one: ${changed}`,
      });
    }
  }
}
