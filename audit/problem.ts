/** One thing that is not as it was written. */
export interface Problem {
  /** The part of the bundle, or the table of the database. */
  where: string;
  /** The record, link, event or digest that is wrong, as far as it can be told. */
  record?: string | undefined;
  what: string;
}

/** As a person reads it: `chain.jsonl: record 01K...: ...`. */
export const problemText = ({ where, record, what }: Problem): string =>
  [where, record, what].filter((part) => part !== undefined).join(': ');
