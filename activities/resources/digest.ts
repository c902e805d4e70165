import { createHash } from 'node:crypto';

/** sha256 of a text or of bytes, hex. */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** sha256 over several parts, each separated from the next. */
export function digestOfParts(parts: readonly string[]): string {
  return sha256(JSON.stringify(parts));
}

/** The first characters of a digest, for people. */
export const short = (digest: string): string => digest.slice(0, 12);

/** A file mode as people write it: `0644`. */
export const octal = (mode: number): string => `0${mode.toString(8).padStart(3, '0')}`;
