import type { Hash } from 'node:crypto';
import { fstatSync, readSync } from 'node:fs';
import type { Problem } from './problem.ts';
import { BLOCK, readTarHeader, tarEnd } from './tar.ts';

/** Read in one go. */
const CHUNK = 1024 * 1024;

/** The form is broken: there is no going on. */
export class Unreadable extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.what);
    this.problem = problem;
  }
}

/** Reads an archive of our one form from an open file, front to back. Methods throw Unreadable. */
export class TarReader {
  readonly #file: number;
  readonly #size: number;
  #at = 0;
  /** Headers read. */
  started = 0;

  constructor(file: number) {
    this.#file = file;
    this.#size = fstatSync(file).size;
  }

  /** Name and size of the next file; null at the end. `expected` names what should begin here. */
  header(expected: () => string): { name: string; size: number } | null {
    if (this.#size - this.#at < BLOCK) throw new Unreadable({ where: 'the archive', what: 'it ends early' });
    const start = this.#at;
    let header: { name: string; size: number } | null;
    try {
      header = readTarHeader(this.#read('the archive', BLOCK));
    } catch (error) {
      if (error instanceof Unreadable) throw error;
      throw new Unreadable({ where: expected(), what: `its header, at byte ${start}, is not one that we wrote` });
    }
    this.started += 1;
    if (header === null) {
      if (!this.zeros('the archive', tarEnd().length - BLOCK)) {
        throw new Unreadable({ where: 'the archive', what: 'it has data behind its end' });
      }
      if (this.#at !== this.#size) {
        throw new Unreadable({ where: 'the archive', what: 'it has data behind its end' });
      }
    }
    return header;
  }

  /** A content in one piece, at most `most` bytes. */
  whole(name: string, size: number, most: number): Buffer {
    if (size > this.#size - this.#at) throw new Unreadable({ where: name, what: 'it ends early' });
    if (size > most) throw new Unreadable({ where: name, what: `it is larger than the ${most} bytes that are read` });
    return this.#read(name, size);
  }

  /** A content in pieces of at most a MiB. */
  *pieces(name: string, size: number): Generator<Buffer> {
    for (let left = size; left > 0; left -= CHUNK) yield this.#read(name, Math.min(CHUNK, left));
  }

  skip(name: string, size: number, hash: Hash): void {
    for (const piece of this.pieces(name, size)) hash.update(piece);
  }

  /** False when one of the next bytes is not zero. */
  zeros(name: string, count: number): boolean {
    return this.#read(name, count).every((byte) => byte === 0);
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
