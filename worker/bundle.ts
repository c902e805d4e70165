import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { KubewrightError } from '../contracts/errors.ts';
import { cacheRoot } from './temporal-server/resolve.ts';
import { run } from './temporal-server/run.ts';

const ROOT = join(import.meta.dirname, '..');
/** Folders whose files can be in the bundle. */
const INPUTS = ['workflows', 'contracts', 'codec'];
/** A bundle without a reader for so long, ms, belongs to sources that are gone. Younger ones may be about to be read. */
const KEEP_MS = 24 * 3600 * 1000;

export interface BundleOptions {
  /** Default: `<cache>/bundles`. */
  cacheDir?: string | undefined;
  onProgress?: ((line: string) => void) | undefined;
}

/**
 * Path of the workflow bundle of these sources. Built once per content, in a child process: webpack and swc would cost
 * the serving process some 150 MB. Throws INTERNAL with the bundler's words.
 */
export async function workflowBundlePath(options: BundleOptions = {}): Promise<string> {
  const folder = options.cacheDir ?? join(cacheRoot(), 'bundles');
  const path = join(folder, `${bundleDigest()}.js`);
  if (isThere(path)) return path;
  options.onProgress?.('bundling workflows');
  const draft = `${path}.${process.pid}`;
  try {
    mkdirSync(folder, { recursive: true });
    await run([process.execPath, join(import.meta.dirname, 'bundle-child.ts'), draft], {
      // Module names in the bundle are relative to the working directory: the same content for every caller.
      cwd: ROOT,
      timeoutMs: 180_000,
    });
    renameSync(draft, path);
  } catch (error) {
    throw new KubewrightError('INTERNAL', 'the workflows could not be bundled', {
      cause: error,
      evidence: error instanceof Error ? error.message.slice(-2000) : '',
    });
  } finally {
    rmSync(draft, { force: true });
  }
  prune(folder);
  return path;
}

/**
 * Whether the bundle is there. One in a folder that this process may change becomes young again, so that no other process
 * prunes it; one that came with an image lies in a folder that is read-only or of another user, and is used as it is.
 */
function isThere(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return false;
  if (found.uid !== process.getuid?.() || !isWritable(path)) return true;
  try {
    utimesSync(path, new Date(), new Date());
    return true;
  } catch (error) {
    // Pruned since we looked: it is made anew.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** sha256 over everything that decides the bundle: our sources and the SDK's version. */
export function bundleDigest(): string {
  const hash = createHash('sha256');
  const require = createRequire(import.meta.url);
  hash.update((require('@temporalio/worker/package.json') as { version: string }).version);
  for (const folder of INPUTS) {
    const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .sort();
    for (const name of files) {
      hash.update(`\0${folder}/${name}\0`);
      hash.update(readFileSync(join(ROOT, folder, name)));
    }
  }
  return hash.digest('hex').slice(0, 32);
}

function prune(folder: string): void {
  for (const name of readdirSync(folder).filter((each) => each.endsWith('.js'))) {
    const path = join(folder, name);
    // Another process may prune at the same time.
    const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
    if (Date.now() - mtimeMs > KEEP_MS) rmSync(path, { force: true });
  }
}
