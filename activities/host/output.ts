import { StringDecoder } from 'node:string_decoder';

/** Kept of the end when the middle was cut, bytes: enough for the error lines that usually come last. */
const TAIL_BYTES = 8 * 1024;

/**
 * Collects one stream of a command: the first `limit` bytes, the last few KiB, and the count of all. What lies between
 * is dropped at once, so endless output costs no memory. Characters split across chunks are joined; bytes that are not
 * UTF-8 become U+FFFD.
 */
export class OutputSink {
  /** All bytes seen, kept or not. */
  bytes = 0;
  readonly #limit: number;
  readonly #decoder = new StringDecoder('utf8');
  readonly #parts: string[] = [];
  #kept = 0;
  #tail: Buffer[] = [];
  #tailBytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get truncated(): boolean {
    return this.bytes > this.#kept;
  }

  push(chunk: Buffer): void {
    this.bytes += chunk.length;
    const room = this.#limit - this.#kept;
    if (room > 0) {
      const head = chunk.length > room ? chunk.subarray(0, room) : chunk;
      this.#kept += head.length;
      this.#parts.push(this.#decoder.write(head));
    }
    if (chunk.length > room) this.#pushTail(room > 0 ? chunk.subarray(room) : chunk);
  }

  /** The kept beginning. */
  text(): string {
    const rest = this.truncated ? '' : this.#decoder.end();
    if (rest !== '') this.#parts.push(rest);
    return this.#parts.join('');
  }

  /** The last lines, whether or not the middle was cut: for error evidence. */
  end(): string {
    return this.truncated ? Buffer.concat(this.#tail).toString('utf8') : this.text();
  }

  #pushTail(chunk: Buffer): void {
    // A copy: a subarray would keep the whole network buffer alive.
    const piece = Buffer.from(chunk.length > TAIL_BYTES ? chunk.subarray(chunk.length - TAIL_BYTES) : chunk);
    this.#tail.push(piece);
    this.#tailBytes += piece.length;
    while (this.#tailBytes - (this.#tail[0]?.length ?? 0) >= TAIL_BYTES) {
      this.#tailBytes -= this.#tail.shift()?.length ?? 0;
    }
  }
}
