import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { KubewrightError } from '../../contracts/errors.ts';
import type { TemporalBinary, TemporalSource } from './source.ts';
import { cacheSource } from './source-cache.ts';
import { goSource } from './source-go.ts';
import { pathSource } from './source-path.ts';
import { sdkSource } from './source-sdk.ts';
import { wheelSource } from './source-wheel.ts';

/** In this order; the first that works wins. A given TEMPORAL_ADDRESS never comes here. */
export const SOURCES: readonly TemporalSource[] = [pathSource, cacheSource, sdkSource, wheelSource, goSource];

/** Root of everything downloaded or built outside the checkout. `KUBEWRIGHT_CACHE` overrides it. */
export const cacheRoot = (env: NodeJS.ProcessEnv = process.env): string =>
  env.KUBEWRIGHT_CACHE ?? join(homedir(), '.cache/kubewright');

export interface ResolveOptions {
  onProgress?: ((line: string) => void) | undefined;
  /** Default: `<cache>/temporal`. */
  cacheDir?: string | undefined;
  /** For tests. */
  sources?: readonly TemporalSource[] | undefined;
}

/** A `temporal` program for this machine. Throws TEMPORAL_UNAVAILABLE naming every source and why it did not serve. */
export async function resolveTemporalBinary(options: ResolveOptions = {}): Promise<TemporalBinary> {
  const cacheDir = options.cacheDir ?? join(cacheRoot(), 'temporal');
  const onProgress = options.onProgress ?? (() => undefined);
  mkdirSync(cacheDir, { recursive: true });
  const reasons: string[] = [];
  for (const source of options.sources ?? SOURCES) {
    const found = await source.find({ cacheDir, onProgress });
    if ('path' in found) return found;
    reasons.push(`${source.name}: ${found.skipped}`);
  }
  throw new KubewrightError('TEMPORAL_UNAVAILABLE', 'no temporal program could be found, downloaded or built', {
    evidence: reasons.join('\n').slice(-2000),
  });
}
