import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { sha256 } from '../store/canonical.ts';
import { ChainCheck } from './chain-check.ts';
import { HistoryCheck } from './history-check.ts';
import { type Manifest, manifest as manifestSchema, outputPart, PARTS, specPart } from './manifest.ts';
import { type Problem, Problems } from './problem.ts';
import { readPublicKey } from './signing-key.ts';
import { padding } from './tar.ts';
import { TarReader, Unreadable } from './tar-reader.ts';

/** What was found. No problems: everything is as it was packed. */
export interface Verdict {
  problems: readonly Problem[];
  /** `pinned`: one of the given keys signed it. `unknown`: none was given, and a key proves nothing by itself. */
  signer: 'pinned' | 'unknown';
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

export interface VerifyOptions {
  /** PEM of a key that may have signed it. */
  publicKey?: string | undefined;
  /** Fingerprints of keys that may have signed it. */
  fingerprints?: readonly string[] | undefined;
  /** Sees the manifest, each line of requests.jsonl, and status.json. */
  onManifest?: ((manifest: Manifest) => void) | undefined;
  onRequest?: ((line: { number: number; hash: string; line: string }) => void) | undefined;
  onStatus?: ((text: string) => void) | undefined;
}

/** A line of the chain is a record without its output. */
const MOST_LINE = 16 * 1024 * 1024;
/** Parts that are read in one piece: a history has at most 50 MiB, payloads grow by a third in base64. */
const MOST_WHOLE = 128 * 1024 * 1024;
/** Manifest, signature, key: 5 million parts are not met; some 500,000 fit. */
const MOST_HEAD = 96 * 1024 * 1024;
/** Links of one operation. A build of a thousand hosts has some 60,000. */
const MOST_LINKS = 2_000_000;

/**
 * Check a bundle offline: form, signature, digests, chain, outputs, history. Throws only what the file system throws.
 * The file is untrusted: what is read of it is bounded, and its texts must be escaped before
 * they are shown (problemText does).
 */
export function verifyBundle(file: string, more: VerifyOptions = {}): Verdict {
  const descriptor = openSync(file, 'r');
  try {
    return new Verifier(new TarReader(descriptor), more).run();
  } finally {
    closeSync(descriptor);
  }
}

/** The parts that come before all others. */
const HEAD = [PARTS.manifest, PARTS.signature, PARTS.publicKey] as const;

class Verifier {
  readonly #tar: TarReader;
  readonly #more: VerifyOptions;
  readonly #pinned: ReadonlySet<string>;
  readonly #problems = new Problems();
  #manifest: Manifest | undefined;
  #chain = new ChainCheck('', PARTS.chain);
  #history = new HistoryCheck(this.#chain);
  #fingerprint = '';
  #histories = 0;
  #outputs = 0;
  #plan: string | undefined;

  constructor(tar: TarReader, more: VerifyOptions) {
    this.#tar = tar;
    this.#more = more;
    const given = more.publicKey === undefined ? [] : [readPublicKey(more.publicKey).fingerprint];
    this.#pinned = new Set([...given, ...(more.fingerprints ?? [])]);
  }

  run(): Verdict {
    try {
      if (this.#head()) this.#parts();
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      this.#say(error.problem);
    }
    return {
      problems: this.#problems.kept,
      signer: this.#pinned.size > 0 ? 'pinned' : 'unknown',
      cluster: this.#manifest?.cluster ?? '',
      operation: this.#manifest?.operation ?? '',
      fingerprint: this.#fingerprint,
      chain: this.#manifest?.chain.id ?? '',
      links: this.#chain.length,
      head: this.#chain.hashes.at(this.#chain.length)!,
      openRecords: this.#chain.openRecords.length,
      outputs: this.#outputs,
      histories: this.#histories,
      anchors: this.#history.anchors,
    };
  }

  readonly #say = this.#problems.say;

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
    this.#more.onManifest?.(this.#manifest);
    return true;
  }

  #signed(text: Buffer, signature: Buffer, pem: string): string | null {
    try {
      const key = readPublicKey(pem);
      this.#fingerprint = key.fingerprint;
      if (!key.verify(text, signature)) return 'its signature is not by the key of the bundle';
      if (this.#pinned.size > 0 && !this.#pinned.has(key.fingerprint)) {
        return `it was signed by ${key.fingerprint}, which is not the given key`;
      }
      return null;
    } catch (error) {
      return `the public key cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  #parts(): void {
    const { parts } = this.#manifest!;
    const byName = new Map(parts.map((part) => [part.name, part]));
    const seen = new Set<string>();
    /** The first part that has not come yet. */
    let next = 0;
    const more = () => this.#tar.header(() => this.#expected());
    for (let header = more(); header !== null; header = more()) {
      const { name, size } = header;
      while (next < parts.length && seen.has(parts[next]!.name)) next += 1;
      const again = seen.has(name);
      const listed = again ? undefined : byName.get(name);
      if (!listed) {
        this.#say(this.#of(name, again ? 'it is there a second time' : 'the manifest does not name it'));
      } else if (name !== parts[next]?.name) {
        this.#say(this.#of(parts[next]!.name, 'it is missing, or not in its place'));
      }
      seen.add(name);
      const sum = this.#content(name, size, listed !== undefined);
      if (listed && (sum !== listed.sha256 || size !== listed.size)) {
        this.#say(this.#of(name, 'its bytes are not those that were packed'));
      }
    }
    for (const name of byName.keys()) {
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
    this.#history.end(PARTS.chain, this.#say);
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
    if (!listed) this.#tar.skip(name, size, hash);
    else if (name === PARTS.chain || name === PARTS.requests) {
      this.#lines(name, size, hash);
      if (name === PARTS.chain) this.#chainEnd();
    } else if (name.startsWith('history/')) {
      const json = this.#whole(name, size, hash);
      this.#histories += 1;
      this.#history.add(name, json.toString('utf8'), this.#say);
    } else if (name.startsWith('outputs/')) {
      this.#outputs += 1;
      this.#tar.skip(name, size, hash);
    } else if (name.startsWith('specs/') || name === PARTS.plan || name === PARTS.status) {
      const bytes = this.#whole(name, size, hash);
      if (name === PARTS.plan) this.#plan = bytes.toString('utf8');
      else if (name === PARTS.status) this.#more.onStatus?.(bytes.toString('utf8'));
      else if (name !== specPart(sha256(bytes)))
        this.#say({ where: name, what: 'its content is not what its name says' });
    } else this.#tar.skip(name, size, hash);
    const sum = hash.digest('hex');
    if (listed && name.startsWith('outputs/') && name !== outputPart(sum)) {
      this.#say(this.#of(name, 'its content is not what its digest says'));
    }
    if (!this.#tar.zeros(name, padding(size))) this.#say(this.#of(name, 'it has data behind its end'));
    return sum;
  }

  #whole(name: string, size: number, hash: Hash): Buffer {
    const bytes = this.#tar.whole(name, size, MOST_WHOLE);
    hash.update(bytes);
    return bytes;
  }

  #chainEnd(): void {
    const { links, head } = this.#manifest!.chain;
    const { length, hashes } = this.#chain;
    if (length === links && hashes.at(length) === head) return;
    const what = `it ends with link ${length}; it had ${links} when it was packed`;
    this.#say({ where: PARTS.chain, record: `link ${Math.min(length + 1, links)}`, what });
  }

  #lines(name: string, size: number, hash: Hash): void {
    let rest = Buffer.alloc(0);
    let number = 0;
    for (const chunk of this.#tar.pieces(name, size)) {
      hash.update(chunk);
      let text = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
      for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10)) {
        number += 1;
        if (number > MOST_LINKS) throw new Unreadable({ where: name, what: `it has more than ${MOST_LINKS} lines` });
        this.#line(name, number, text.subarray(0, end));
        text = text.subarray(end + 1);
      }
      rest = Buffer.from(text);
      if (rest.length > MOST_LINE) {
        const what = `it is longer than the ${MOST_LINE} bytes that are read`;
        throw new Unreadable({ where: name, record: `line ${number + 1}`, what });
      }
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
      if (intact && sha256(line) === hash) return this.#more.onRequest?.({ number, hash, line });
      const what = 'its content is not what was written: the hash differs';
      return this.#say({ where: name, record: `line ${number}`, what });
    }
    const n = Number(/"n":(\d{1,15})[,}]/.exec(line)?.[1] ?? number);
    const record = /"id":"([0-9A-Z]{26})"/.exec(line)?.[1];
    const problem = this.#chain.next({ n, hash, line: intact ? line : `${line}\0`, record });
    if (problem) this.#say(problem);
  }

  /** Which part should begin here. */
  #expected(): string {
    const index = this.#tar.started;
    return HEAD[index] ?? this.#manifest?.parts[index - HEAD.length]?.name ?? 'the archive';
  }

  #wholePart(name: string): Buffer {
    const header = this.#tar.header(() => this.#expected());
    if (header?.name !== name) {
      throw new Unreadable({ where: name, what: `it is not where it should be; ${header?.name ?? 'the end'} is` });
    }
    const content = this.#tar.whole(name, header.size, MOST_HEAD);
    if (!this.#tar.zeros(name, padding(header.size))) this.#say(this.#of(name, 'it has data behind its end'));
    return content;
  }
}
