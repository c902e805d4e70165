import type { RemoteProcess } from './command-line.ts';

/** Kept while the report has not come: what a login shell said instead is the best evidence there is. */
const PREAMBLE_BYTES = 16 * 1024;
/** A process number or a start time. Nothing else may go into the command that ends it. */
const NUMBER = /^[0-9]{1,19}$/;

/**
 * Takes the wrapper's report line out of a command's standard output, together with anything printed before it (noise of
 * shell start-up files), and passes the rest on untouched.
 */
export class ReportLine {
  process: RemoteProcess | null = null;
  /** Instead of running, the command prints the holder of the host; '-' = no holder. */
  fenced: { holder: string; operation: string } | null = null;
  readonly #nonce: string;
  readonly #rest: (chunk: Buffer) => void;
  #waiting = Buffer.alloc(0);

  constructor(nonce: string, rest: (chunk: Buffer) => void) {
    this.#nonce = nonce;
    this.#rest = rest;
  }

  /** What came instead of the report. */
  get preamble(): string {
    return this.process ? '' : this.#waiting.toString('utf8');
  }

  /** Bytes held back now. */
  get kept(): number {
    return this.#waiting.length;
  }

  push(chunk: Buffer): void {
    if (this.process) {
      this.#rest(chunk);
      return;
    }
    // Refused: nothing runs, whatever else the host may send.
    if (this.fenced) return;
    const room = Math.max(0, 2 * PREAMBLE_BYTES - this.#waiting.length);
    this.#waiting = Buffer.concat([this.#waiting, chunk.subarray(0, room)]);
    const report = this.#find();
    if (report) this.#accept(report, chunk.subarray(room));
    else if (this.#waiting.length > PREAMBLE_BYTES)
      this.#waiting = Buffer.from(this.#waiting.subarray(-PREAMBLE_BYTES));
    if (!report && room < chunk.length) this.push(chunk.subarray(room));
  }

  /** The first whole line that has the form of a report: a host may print the mark to what end it likes. */
  #find(): { words: string[]; end: number } | null {
    for (let start = this.#waiting.indexOf(this.#nonce); start >= 0; ) {
      const end = this.#waiting.indexOf(0x0a, start);
      if (end < 0) return null;
      const words = this.#waiting.toString('latin1', start, end).split(' ').slice(1);
      if (words[0] === 'fenced' || (words.length === 5 && words.every((word) => NUMBER.test(word))))
        return { words, end };
      start = this.#waiting.indexOf(this.#nonce, end);
    }
    return null;
  }

  #accept({ words, end }: { words: string[]; end: number }, more: Buffer): void {
    const rest = this.#waiting.subarray(end + 1);
    if (words[0] === 'fenced') {
      this.fenced = { holder: words[1] ?? '-', operation: words[2] ?? '-' };
      return;
    }
    const [pid = 0, parent = 0, group = 0, session = 0, startTime = 0] = words.map(Number);
    this.process = { pid, parent, group, session, startTime };
    this.#waiting = Buffer.alloc(0);
    for (const each of [rest, more]) if (each.length > 0) this.#rest(each);
  }
}

/**
 * Passes on what comes on standard error after the line that holds the mark alone; before it, start-up files and sudo
 * print. Without a mark, `end` passes on what was kept: the reason why nothing ran.
 */
export class StderrStart {
  readonly #line: Buffer;
  readonly #rest: (chunk: Buffer) => void;
  #waiting: Buffer | null = Buffer.alloc(0);

  constructor(nonce: string, rest: (chunk: Buffer) => void) {
    this.#line = Buffer.from(`${nonce}\n`);
    this.#rest = rest;
  }

  push(chunk: Buffer): void {
    if (this.#waiting === null) {
      this.#rest(chunk);
      return;
    }
    const all = Buffer.concat([this.#waiting, chunk]);
    const at = all.indexOf(this.#line);
    // A mark that was cut in two by the packets needs no more than its own length of what went before.
    if (at < 0) this.#waiting = Buffer.from(all.subarray(-PREAMBLE_BYTES));
    else this.#pass(all.subarray(at + this.#line.length));
  }

  end(): void {
    if (this.#waiting) this.#pass(this.#waiting);
  }

  #pass(chunk: Buffer): void {
    this.#waiting = null;
    if (chunk.length > 0) this.#rest(chunk);
  }
}
