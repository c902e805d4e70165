import { printableLine } from '../contracts/printable.ts';

/** One thing that is not as it was written. Texts may come from the maker of the bundle, or from a changed database. */
export interface Problem {
  /** The part of the bundle, or the table of the database. */
  where: string;
  /** The record, link, event or digest that is wrong, as far as it is known. */
  record?: string | undefined;
  what: string;
}

/** The first is what counts; a few more help to see the extent. */
export const MOST_PROBLEMS = 20;
/** Characters of one text that is shown. The longest that we write ourselves is the id of a chain. */
const MOST_SHOWN = 400;

/** A text of unknown origin on one line of a terminal: nothing in it acts, and it is cut. */
export function shown(text: string): string {
  const line = printableLine(text.slice(0, MOST_SHOWN));
  return text.length > MOST_SHOWN ? `${line}...` : line;
}

/** As a person reads it, on one line: `chain.jsonl: record 01K...: ...`. */
export const problemText = ({ where, record, what }: Problem): string =>
  [where, record, what]
    .filter((part) => part !== undefined)
    .map(shown)
    .join(': ');

/** Problems as they are found: the first MOST_PROBLEMS are kept, all are counted. */
export class Problems {
  readonly #kept: Problem[] = [];
  #count = 0;

  get kept(): readonly Problem[] {
    return this.#kept;
  }
  get count(): number {
    return this.#count;
  }
  /** No more of them is worth looking for. */
  get full(): boolean {
    return this.#kept.length >= MOST_PROBLEMS;
  }

  readonly say = (problem: Problem): void => {
    this.#count += 1;
    if (!this.full) this.#kept.push(problem);
  };
}

export type Say = (problem: Problem) => void;
