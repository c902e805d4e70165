import { z } from 'zod';

/**
 * A backup is gzipped text, one JSON document a line: a head, the rows of every table, an end. It is the same for SQLite
 * and PostgreSQL, so that an installation can move from one to the other. Secrets in it are sealed; the keys are not in it.
 */
export const FORMAT = 'kubewright-backup';
export const VERSION = 1;

/** First line. */
export const backupHead = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  /** Name of the newest migration of the database. */
  schema: z.string().min(1).max(100),
  /** ISO time. */
  createdAt: z.iso.datetime(),
  engine: z.enum(['sqlite', 'postgres']),
});
export type BackupHead = z.infer<typeof backupHead>;

/** A row: its table, and its columns. Bytes are `{"$bytes": base64}`. */
const value = z.union([z.string(), z.number(), z.null(), z.strictObject({ $bytes: z.base64() })]);
export const backupRow = z.strictObject({
  t: z.string().regex(/^[a-z][a-z_]{0,62}$/),
  r: z.record(z.string().regex(/^[a-z][a-z0-9_]{0,62}$/), value),
});

/** Last line: rows per table, and sha256 (hex) of all lines before it, each with its newline. */
export const backupEnd = z.strictObject({
  end: z.literal(true),
  rows: z.record(z.string(), z.int()),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/** A column's value as it is stored. Throws on what no table of ours holds. */
export function encodeValue(column: unknown): z.infer<typeof value> {
  if (column === null || typeof column === 'string') return column;
  if (typeof column === 'number' || typeof column === 'bigint') return Number(column);
  if (column instanceof Uint8Array) return { $bytes: Buffer.from(column).toString('base64') };
  throw new TypeError(`a column of type ${typeof column} cannot be backed up`);
}

export function decodeValue(encoded: z.infer<typeof value>): string | number | null | Uint8Array {
  if (encoded === null || typeof encoded !== 'object') return encoded;
  return Buffer.from(encoded.$bytes, 'base64');
}
