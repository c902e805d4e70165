import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const manifestSchema = z.object({
  formatVersion: z.literal(1),
  files: z.record(
    z.string().max(300),
    z.object({
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      size: z.int().min(0),
      origin: z.enum(['release', 'debian', 'go-build', 'lab']),
      source: z.string().max(500),
    }),
  ),
});

/** `manifest.json` at the mirror's root: what hosts check their downloads against. */
export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestEntry = Manifest['files'][string];

/** The manifest of the mirror at `root`. One that is absent or unreadable counts as empty: what it listed is made again. */
export async function readManifest(root: string): Promise<Manifest> {
  const text = await readFile(join(root, 'manifest.json'), 'utf8').catch(() => null);
  if (text === null) return { formatVersion: 1, files: {} };
  try {
    return manifestSchema.parse(JSON.parse(text));
  } catch {
    return { formatVersion: 1, files: {} };
  }
}

/** Replaces the manifest in one step: readers see the old or the new one, a killed run leaves the old. */
export async function writeManifest(root: string, manifest: Manifest): Promise<void> {
  const files = Object.fromEntries(Object.entries(manifest.files).sort(([a], [b]) => (a < b ? -1 : 1)));
  const checked = manifestSchema.parse({ formatVersion: 1, files });
  await mkdir(root, { recursive: true });
  const draft = join(root, `.manifest.${process.pid}.${randomBytes(4).toString('hex')}`);
  try {
    await writeFile(draft, `${JSON.stringify(checked, null, 2)}\n`, { mode: 0o644 });
    await rename(draft, join(root, 'manifest.json'));
  } finally {
    await rm(draft, { force: true });
  }
}
