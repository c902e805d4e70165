import { z } from 'zod';
import { KubewrightError } from '../../contracts/errors.ts';
import { boundedGet, OutsideError } from './bounded-get.ts';

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

/** A manifest is some tens of KiB; anything near this is not one. */
const MAX_MANIFEST_BYTES = 1024 * 1024;
const MAX_FILES = 5_000;
const TIMEOUT_MS = 10_000;
/** As file servers name a file of JSON, the simple ones included. */
const TYPES = ['application/json', 'text/json', 'text/plain', 'application/octet-stream', 'binary/octet-stream'];

/**
 * Read the manifest of an artifact mirror. The address is of a spec: its answer is untrusted, and is
 * in no error. Throws MIRROR_UNUSABLE with the address and the cause.
 */
export async function fetchMirrorManifest(mirror: string, signal?: AbortSignal): Promise<MirrorManifest> {
  const url = `${mirror.replace(/\/$/, '')}/manifest.json`;
  const bounds = {
    maxBytes: MAX_MANIFEST_BYTES,
    timeoutMs: TIMEOUT_MS,
    types: TYPES,
    redirects: 'same-origin' as const,
  };
  let text: string;
  try {
    text = await boundedGet(url, { ...bounds, signal });
  } catch (cause) {
    throw unusable(url, cause instanceof OutsideError ? cause.message : 'it cannot be read');
  }
  const manifest = manifestOf(text);
  if (!manifest) throw unusable(url, 'the answer is no manifest of format 1');
  return manifest;
}

/** Null for what is no manifest. Errors of parsers quote their input, so they are dropped. */
function manifestOf(text: string): MirrorManifest | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const parsed = mirrorManifest.safeParse(value);
  return parsed.success && Object.keys(parsed.data.files).length <= MAX_FILES ? parsed.data : null;
}

const unusable = (url: string, evidence: string) =>
  new KubewrightError('MIRROR_UNUSABLE', `the artifact mirror at ${url} does not answer with a manifest`, { evidence });
