import type { RemoteProcess } from './command-line.ts';

/** Kept while the report has not come: what a login shell said instead is the best evidence there is. */
const PREAMBLE_BYTES = 16 * 1024;

/**
 * Takes the wrapper's report line out of a command's standard output, together with anything printed before it (noise of
 * shell start-up files), and passes the rest on untouched.
 */
export class ReportLine {
  process: RemoteProcess | null = null;
  readonly #mark: string;
  readonly #rest: (chunk: Buffer) => void;
  #waiting = Buffer.alloc(0);

  constructor(mark: string, rest: (chunk: Buffer) => void) {
    this.#mark = mark;
    this.#rest = rest;
  }

  /** What came instead of the report. */
  get preamble(): string {
    return this.process ? '' : this.#waiting.toString('utf8');
  }

  push(chunk: Buffer): void {
    if (this.process) {
      this.#rest(chunk);
      return;
    }
    this.#waiting = Buffer.concat([this.#waiting, chunk]);
    const start = this.#waiting.indexOf(this.#mark);
    const end = start < 0 ? -1 : this.#waiting.indexOf(0x0a, start);
    if (end < 0) {
      if (this.#waiting.length > PREAMBLE_BYTES) {
        this.#waiting = this.#waiting.subarray(start < 0 ? this.#waiting.length - PREAMBLE_BYTES : start);
      }
      return;
    }
    const [, pid = 0, parent = 0, group = 0, session = 0, startTime = 0] = this.#waiting
      .toString('latin1', start, end)
      .split(' ')
      .map(Number);
    this.process = { pid, parent, group, session, startTime };
    const rest = this.#waiting.subarray(end + 1);
    this.#waiting = Buffer.alloc(0);
    if (rest.length > 0) this.#rest(rest);
  }
}
