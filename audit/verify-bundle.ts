import { createHash, type Hash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { sha256 } from '../store/canonical.ts';
import { ChainCheck } from './chain-check.ts';
import { HistoryCheck } from './history-check.ts';
import { type Manifest, manifest as manifestSchema, outputPart, PARTS, specPart } from './manifest.ts';
import type { Problem } from './problem.ts';
import { readPublicKey } from './signing-key.ts';
import { BLOCK, padding, readTarHeader, tarEnd } from './tar.ts';

/** What was found. No problems: everything is as it was packed. */
export interface Verdict {
  problems: Problem[];
  cluster: string;
  operation: string;
  /** Of the key that signed. */
  fingerprint: string;
  chain: string;
  links: number;
  /** Hash of the last link. */
  head: string;
  openRecords: number;
  outputs: number;
  histories: number;
  /** Task results in history whose chain head held. */
  anchors: number;
}

/** Read in one go. */
const CHUNK = 1024 * 1024;
/** A line of the chain is a record without its output. */
const MOST_LINE = 16 * 1024 * 1024;
/** The first is what counts; a few more help to see the extent. */
const MOST_PROBLEMS = 20;

/**
 * Check a bundle offline: form, signature, digests, chain, outputs, history. `publicKey` (PEM) pins the key that must
 * have signed it. Throws only what the file system throws.
 */
export function verifyBundle(file: string, more: { publicKey?: string | undefined } = {}): Verdict {
  const descriptor = openSync(file, 'r');
  try {
    return new Verifier(descriptor, more.publicKey).run();
  } finally {
    closeSync(descriptor);
  }
}

/** The parts that come before all others. */
const HEAD = [PARTS.manifest, PARTS.signature, PARTS.publicKey] as const;

class Verifier {
  readonly #file: number;
  readonly #size: number;
  readonly #pinned: string | undefined;
  readonly #problems: Problem[] = [];
  #at = 0;
  /** Parts begun. */
  #started = 0;
  #manifest: Manifest | undefined;
  #chain = new ChainCheck('', PARTS.chain);
  #history = new HistoryCheck(this.#chain);
  #fingerprint = '';
  #histories = 0;
  #outputs = 0;
  #plan: string | undefined;

  constructor(file: number, pinned: string | undefined) {
    this.#file = file;
    this.#size = fstatSync(file).size;
    this.#pinned = pinned;
  }

  run(): Verdict {
    try {
      if (this.#head()) this.#parts();
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      this.#say(error.problem);
    }
    return {
      problems: this.#problems.slice(0, MOST_PROBLEMS),
      cluster: this.#manifest?.cluster ?? '',
      operation: this.#manifest?.operation ?? '',
      fingerprint: this.#fingerprint,
      chain: this.#manifest?.chain.id ?? '',
      links: this.#chain.length,
      head: this.#chain.hashes.at(-1)!,
      openRecords: this.#chain.openRecords.length,
      outputs: this.#outputs,
      histories: this.#histories,
      anchors: this.#history.anchors,
    };
  }

  #say(...problems: readonly Problem[]): void {
    if (this.#problems.length < MOST_PROBLEMS) this.#problems.push(...problems);
  }

  /** Manifest, signature and key. False: without a manifest nothing else can be judged. */
  #head(): boolean {
    const [text, signature, pem] = HEAD.map((name) => this.#wholePart(name)) as [Buffer, Buffer, Buffer];
    const signed = this.#signed(text, signature, pem.toString('utf8'));
    if (signed !== null) this.#say({ where: PARTS.manifest, what: signed });
    try {
      this.#manifest = manifestSchema.parse(JSON.parse(text.toString('utf8')));
    } catch {
      this.#say({ where: PARTS.manifest, what: 'it is no manifest of a bundle' });
      return false;
    }
    const [key, ...rest] = this.#manifest.parts;
    if (key?.name !== PARTS.publicKey || key.sha256 !== sha256(pem)) {
      this.#say({ where: PARTS.publicKey, what: 'it is not the key that the manifest names' });
    }
    this.#manifest = { ...this.#manifest, parts: rest };
    this.#chain = new ChainCheck(this.#manifest.chain.id, PARTS.chain);
    this.#history = new HistoryCheck(this.#chain);
    return true;
  }

  #signed(text: Buffer, signature: Buffer, pem: string): string | null {
    try {
      const key = readPublicKey(pem);
      this.#fingerprint = key.fingerprint;
      if (!key.verify(text, signature)) return 'its signature is not by the key of the bundle';
      if (this.#pinned !== undefined && readPublicKey(this.#pinned).fingerprint !== key.fingerprint) {
        return `it was signed by ${key.fingerprint}, which is not the given key`;
      }
      return null;
    } catch (error) {
      return `the public key cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  #parts(): void {
    const { parts } = this.#manifest!;
    const waiting = new Map(parts.map((part) => [part.name, part]));
    const seen = new Set<string>();
    for (let header = this.#header(); header !== null; header = this.#header()) {
      const { name, size } = header;
      const expected = waiting.keys().next().value;
      const listed = waiting.get(name);
      if (!listed) {
        this.#say(this.#of(name, seen.has(name) ? 'it is there a second time' : 'the manifest does not name it'));
      } else if (name !== expected) {
        this.#say(this.#of(expected!, 'it is missing, or not in its place'));
      }
      waiting.delete(name);
      seen.add(name);
      const sum = this.#content(name, size, listed !== undefined);
      if (listed && (sum !== listed.sha256 || size !== listed.size)) {
        this.#say(this.#of(name, 'its bytes are not those that were packed'));
      }
    }
    for (const name of waiting.keys()) {
      if (!seen.has(name)) this.#say(this.#of(name, 'it is missing'));
    }
    this.#together(seen);
  }

  /** What the parts say of each other. */
  #together(seen: ReadonlySet<string>): void {
    const chain = this.#chain;
    const say = (where: string, what: string, record?: string) => this.#say({ where, what, record });
    if (!chain.opened && !chain.closed) say(PARTS.chain, 'no record says that the operation was opened or closed');
    for (const [digest, record] of chain.outputs) {
      if (!seen.has(outputPart(digest))) say(outputPart(digest), 'it is missing', `record ${record}`);
    }
    for (const digest of chain.specs) if (!seen.has(specPart(digest))) say(specPart(digest), 'it is missing');
    this.#say(...this.#history.end(PARTS.chain));
    if (this.#plan !== undefined && this.#history.plan !== undefined && this.#plan !== this.#history.plan) {
      say(PARTS.plan, 'it is not the plan that the workflow got');
    }
  }

  /** A problem with a part; an output is named with the record that wrote it. */
  #of(name: string, what: string): Problem {
    const record = this.#chain.outputs.get(name.replace('outputs/', ''));
    return { where: name, what, ...(record === undefined ? {} : { record: `output of record ${record}` }) };
  }

  /** Reads a content, judges it by its name, and returns its sha256. */
  #content(name: string, size: number, listed: boolean): string {
    const hash = createHash('sha256');
    if (!listed) this.#skip(name, size, hash);
    else if (name === PARTS.chain || name === PARTS.requests) {
      this.#lines(name, size, hash);
      if (name === PARTS.chain) this.#chainEnd();
    } else if (name.startsWith('history/')) {
      const json = this.#whole(name, size);
      hash.update(json);
      this.#histories += 1;
      this.#say(...this.#history.add(name, json.toString('utf8')));
    } else if (name.startsWith('outputs/')) {
      this.#outputs += 1;
      this.#skip(name, size, hash);
    } else if (name.startsWith('specs/') || name === PARTS.plan) {
      const bytes = this.#whole(name, size);
      hash.update(bytes);
      if (name === PARTS.plan) this.#plan = bytes.toString('utf8');
      else if (name !== specPart(sha256(bytes)))
        this.#say({ where: name, what: 'its content is not what its name says' });
    } else this.#skip(name, size, hash);
    const sum = hash.copy().digest('hex');
    if (listed && name.startsWith('outputs/') && name !== outputPart(sum)) {
      this.#say(this.#of(name, 'its content is not what its digest says'));
    }
    this.#zeros(name, padding(size));
    return sum;
  }

  #chainEnd(): void {
    const { links, head } = this.#manifest!.chain;
    const { length, hashes } = this.#chain;
    if (length === links && hashes.at(-1) === head) return;
    const what = `it ends with link ${length}; it had ${links} when it was packed`;
    this.#say({ where: PARTS.chain, record: `link ${Math.min(length + 1, links)}`, what });
  }

  #lines(name: string, size: number, hash: Hash): void {
    let rest = Buffer.alloc(0);
    let number = 0;
    for (let left = size; left > 0; ) {
      const chunk = this.#read(name, Math.min(CHUNK, left));
      left -= chunk.length;
      hash.update(chunk);
      let text = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
      for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10)) {
        number += 1;
        this.#line(name, number, text.subarray(0, end));
        text = text.subarray(end + 1);
      }
      rest = Buffer.from(text);
      if (rest.length > MOST_LINE) break;
    }
    if (rest.length > 0) this.#say({ where: name, record: `line ${number + 1}`, what: 'it does not end as a line' });
  }

  #line(name: string, number: number, bytes: Buffer): void {
    const text = bytes.toString('utf8');
    const hash = text.slice(0, 64);
    const line = text.slice(65);
    // A sequence that is not UTF-8 would come out as another text with the hash of neither.
    const intact = text[64] === ' ' && Buffer.from(text).equals(bytes);
    if (name === PARTS.requests) {
      if (!intact || sha256(line) !== hash) {
        this.#say({
          where: name,
          record: `line ${number}`,
          what: 'its content is not what was written: the hash differs',
        });
      }
      return;
    }
    const n = Number(/"n":(\d+)[,}]/.exec(line)?.[1] ?? number);
    const record = /"id":"([0-9A-Z]{26})"/.exec(line)?.[1];
    const problem = this.#chain.next({ n, hash, line: intact ? line : `${line}\0`, record });
    if (problem) this.#say(problem);
  }

  #header(): { name: string; size: number } | null {
    if (this.#size - this.#at < BLOCK) throw new Unreadable({ where: 'the archive', what: 'it ends early' });
    const start = this.#at;
    let header: { name: string; size: number } | null;
    try {
      header = readTarHeader(this.#read('the archive', BLOCK));
    } catch {
      throw new Unreadable({ where: this.#expected(), what: `its header, at byte ${start}, is not one that we wrote` });
    }
    this.#started += 1;
    if (header === null) {
      this.#zeros('the archive', tarEnd().length - BLOCK);
      if (this.#at !== this.#size)
        throw new Unreadable({ where: 'the archive', what: 'there is something behind its end' });
    }
    return header;
  }

  /** Which part should begin here. */
  #expected(): string {
    const names = [...HEAD, ...(this.#manifest?.parts.map(({ name }) => name) ?? [])];
    return names[this.#started] ?? 'the archive';
  }

  #wholePart(name: string): Buffer {
    const header = this.#header();
    if (header?.name !== name) {
      throw new Unreadable({ where: name, what: `it is not where it should be; ${header?.name ?? 'the end'} is` });
    }
    const content = this.#whole(name, header.size);
    this.#zeros(name, padding(header.size));
    return content;
  }

  #whole(name: string, size: number): Buffer {
    if (size > this.#size - this.#at) throw new Unreadable({ where: name, what: 'it ends early' });
    const pieces: Buffer[] = [];
    for (let left = size; left > 0; left -= CHUNK) pieces.push(this.#read(name, Math.min(CHUNK, left)));
    return Buffer.concat(pieces);
  }

  #skip(name: string, size: number, hash: Hash): void {
    for (let left = size; left > 0; left -= CHUNK) hash.update(this.#read(name, Math.min(CHUNK, left)));
  }

  #zeros(name: string, count: number): void {
    if (!this.#read(name, count).every((byte) => byte === 0)) {
      this.#say(this.#of(name, 'there is something behind its end'));
    }
  }

  #read(name: string, count: number): Buffer {
    const bytes = Buffer.alloc(count);
    let got = 0;
    while (got < count) {
      const now = readSync(this.#file, bytes, got, count - got, this.#at + got);
      if (now === 0) throw new Unreadable({ where: name, what: 'it ends early' });
      got += now;
    }
    this.#at += count;
    return bytes;
  }
}

/** The form is broken: there is no going on. */
class Unreadable extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.what);
    this.problem = problem;
  }
}
