import { KubewrightError } from '../contracts/errors.ts';
import type { ApiDeps } from './deps.ts';
import { DEFAULT_LIMITS } from './limits.ts';

/** A dry run that is older has lost its worker: it holds no place any more, ms. */
const HOLDS_MS = 3_600_000;

/** Dry runs that are being submitted, and in no table yet; per store, which is one per installation. */
const submitting = new WeakMap<ApiDeps['store'], { count: number }>();

/**
 * A place for one more dry run, until it stands in the read model: then the returned function is to be called. Throws
 * RATE_LIMITED when too many of the installation have not ended.
 */
export async function reserveDryRun({ store, limits = DEFAULT_LIMITS }: ApiDeps): Promise<() => void> {
  const here = submitting.get(store) ?? { count: 0 };
  submitting.set(store, here);
  // Before anything is waited for: requests that come together see each other.
  here.count += 1;
  const release = (): void => {
    here.count -= 1;
  };
  try {
    const open = await store.projections.openDryRuns(new Date(Date.now() - HOLDS_MS));
    if (open + here.count <= limits.dryRuns) return release;
    throw new KubewrightError('RATE_LIMITED', `${open} dry runs are running, which is the limit`);
  } catch (error) {
    release();
    throw error;
  }
}
