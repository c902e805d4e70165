import type { ResolvedFile } from '../artifacts/source.ts';

/** A gigabyte over a slow line; a stalled download ends long before (curl's speed limit). */
export const TRANSFER_TIMEOUT_MS = 15 * 60_000;

/** Left free for the rest of the system, KiB. */
const RESERVE_KIB = 4 * 1024;

/**
 * The call of `fetch` (batch-script.ts) for a resolved file. `path` is already quoted; `times`: how many times the size
 * of the download has to fit on that file system.
 */
export function fetchCall(
  file: ResolvedFile,
  path: string,
  options: { quote: (word: string) => string; times: number },
): string {
  const needed = Math.ceil((file.size * options.times) / 1024) + RESERVE_KIB;
  const label = options.quote(`${file.name} ${file.version}`);
  return `fetch ${label} ${options.quote(file.url)} ${path} ${file.size} ${options.quote(file.sha256)} ${needed}`;
}
