const BYTES = 32;
const FIRST_ROOM = 1024;
const HEX = /^[0-9a-f]{64}$/;

/** Hashes of a chain's links by number, 32 bytes each: a chain of a million links is no problem for memory. */
export class HashList {
  #bytes = Buffer.alloc(FIRST_ROOM * BYTES);
  #length = 0;
  /** The number before the first one kept: 0, or where the chain was pruned. */
  readonly base: number;

  /** `first`: the hash of link `base`. */
  constructor(first: string, base = 0) {
    this.base = base;
    this.push(first);
  }

  /** The number of the last link. */
  get last(): number {
    return this.base + this.#length - 1;
  }

  push(hash: string): void {
    if (this.#length * BYTES === this.#bytes.length) {
      this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#bytes.length)]);
    }
    // What is no hash is found to be wrong by itself; its place is kept.
    if (HEX.test(hash)) this.#bytes.write(hash, this.#length * BYTES, 'hex');
    this.#length += 1;
  }

  /** Undefined: there is no such link, or no longer. */
  at(n: number): string | undefined {
    const index = n - this.base;
    if (!Number.isSafeInteger(n) || index < 0 || index >= this.#length) return undefined;
    return this.#bytes.toString('hex', index * BYTES, (index + 1) * BYTES);
  }
}
