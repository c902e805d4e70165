import { KubewrightError } from './errors.ts';

/**
 * What one parsed document may hold, JSON or YAML alike. The largest spec that the schema allows in common use, 1,000
 * hosts with labels and taints, has some 60,000 values, 8 levels, and 64 keys in one object.
 */
export interface DocumentBounds {
  /** Objects and lists inside each other. */
  depth: number;
  /** Members of objects and items of lists, all together. An alias of YAML counts as what it stands for. */
  values: number;
  /** Members of one object. */
  keys: number;
  /** UTF-16 units of one key or text. */
  textChars: number;
  /** References to anchors in one YAML document. A spec needs a few; a bomb needs many. */
  aliases: number;
}

export const DOCUMENT_BOUNDS: DocumentBounds = {
  depth: 64,
  values: 100_000,
  keys: 1_000,
  textChars: 64 * 1024,
  aliases: 100,
};

/** A place in a text: where its reader looks. */
export type PlaceOf = (offset: number) => string;

export const malformed = (message: string, cause?: unknown) =>
  new KubewrightError('SPEC_MALFORMED', message, { cause });
export const tooComplex = (message: string, cause?: unknown) =>
  new KubewrightError('DOCUMENT_TOO_COMPLEX', message, { cause });

export const TOO_DEEP = 'the document is nested too deeply';

/** Counts what a document holds while it is read. Throws at the first value beyond the bounds, with its place. */
export class DocumentCount {
  readonly #bounds: DocumentBounds;
  readonly #place: PlaceOf;
  #values = 0;

  constructor(bounds: DocumentBounds, place: PlaceOf) {
    this.#bounds = bounds;
    this.#place = place;
  }

  get values(): number {
    return this.#values;
  }

  add(offset: number, values = 1): void {
    this.#values += values;
    if (this.#values > this.#bounds.values) {
      throw tooComplex(`${this.#place(offset)}: the document holds more than ${this.#bounds.values} values`);
    }
  }

  depth(depth: number, offset: number): void {
    if (depth > this.#bounds.depth) throw malformed(`${this.#place(offset)}: ${TOO_DEEP}`);
  }

  text(chars: number, offset: number): void {
    const { textChars } = this.#bounds;
    if (chars > textChars) throw tooComplex(`${this.#place(offset)}: a text is longer than ${textChars} characters`);
  }

  /** The next key of an object whose keys so far are `known`. */
  key(known: Set<string>, key: string, offset: number): void {
    // It would become an object's prototype in whatever copies the document.
    if (key === '__proto__') throw malformed(`${this.#place(offset)}: the key \`__proto__\` is not allowed`);
    if (known.has(key)) throw malformed(`${this.#place(offset)}: the key \`${key.slice(0, 64)}\` is there twice`);
    known.add(key);
    const { keys } = this.#bounds;
    if (known.size > keys) throw tooComplex(`${this.#place(offset)}: an object has more than ${keys} keys`);
  }
}
