import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, rename, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ManifestEntry } from './manifest.ts';
import type { SuppliedFile } from './types.ts';

/**
 * Every published file carries this modification time (2020-01-01). Whatever is written to it later changes that,
 * so size and time say in microseconds what a hash says in seconds.
 */
const STAMP = new Date('2020-01-01T00:00:00Z');

/** The sha256 of a file, hex. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** True when the mirror holds the file as the manifest says. A copied mirror (other times) is hashed once, then stamped. */
export async function isIntact(root: string, mirrorPath: string, entry: ManifestEntry): Promise<boolean> {
  const path = join(root, mirrorPath);
  const info = await stat(path).catch(() => null);
  if (info === null || !info.isFile() || info.size !== entry.size) return false;
  if (info.mtimeMs === STAMP.getTime()) return true;
  if ((await sha256Of(path)) !== entry.sha256) return false;
  await utimes(path, STAMP, STAMP);
  return true;
}

/** Moves a finished file into the mirror and says what the manifest should hold for it. */
export async function publish(root: string, file: SuppliedFile): Promise<ManifestEntry> {
  const entry: ManifestEntry = {
    sha256: await sha256Of(file.path),
    size: (await stat(file.path)).size,
    origin: file.origin,
    source: file.source.slice(0, 500),
  };
  const target = join(root, file.mirrorPath);
  await mkdir(dirname(target), { recursive: true });
  await chmod(file.path, 0o644);
  await utimes(file.path, STAMP, STAMP);
  await rename(file.path, target);
  return entry;
}
