import { z } from 'zod';
import { KubewrightError } from '../../contracts/errors.ts';

/** One entry of a mirror's manifest.json. */
const mirrorFile = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.int().min(0),
  origin: z.string().max(40),
  source: z.string().max(500),
});
const mirrorManifest = z.object({
  formatVersion: z.literal(1),
  files: z.record(z.string().max(300), mirrorFile),
});
export type MirrorManifest = z.infer<typeof mirrorManifest>;

/** A manifest is small (some tens of KiB); anything near this is not one. */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** Read the manifest of an artifact mirror. Throws MIRROR_UNUSABLE with the address and the cause. */
export async function fetchMirrorManifest(mirror: string, signal?: AbortSignal): Promise<MirrorManifest> {
  const url = `${mirror.replace(/\/$/, '')}/manifest.json`;
  try {
    const timeout = AbortSignal.timeout(10_000);
    const response = await fetch(url, { signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    if (Number(response.headers.get('content-length') ?? 0) > MAX_MANIFEST_BYTES) throw new Error('manifest too large');
    return mirrorManifest.parse(JSON.parse(await response.text()));
  } catch (cause) {
    throw new KubewrightError('MIRROR_UNUSABLE', `the artifact mirror at ${url} does not answer with a manifest`, {
      cause,
      evidence: describe(cause),
    });
  }
}

function describe(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? `${cause.message}: ${cause.cause.message}` : cause.message;
}
