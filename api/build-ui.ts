import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { KubewrightError } from '../contracts/errors.ts';

const ROOT = join(import.meta.dirname, '..');
/** Of the sources that the build in a folder was made of. */
const DIGEST_FILE = '.digest';
const BUILD_MS = 120_000;
const EVIDENCE_CHARS = 2_000;

/** Where the API finds the web UI. */
export const UI_FOLDER = join(ROOT, 'ui', 'dist');

/**
 * Build the web UI when its sources or the lock file have changed. Only in a clone with development packages: an image or an
 * installation brings its build. A second process waits for the first. Throws UI_NOT_BUILT; an earlier build then stays.
 * Returns whether it built.
 */
export async function buildUi(root: string = ROOT): Promise<boolean> {
  const ui = join(root, 'ui');
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
  if (!existsSync(join(ui, 'index.html')) || !existsSync(vite)) return false;
  const digest = await digestOf(root);
  if (await isBuilt(ui, digest)) return false;
  const release = await lock(join(ui, '.building'));
  const draft = join(ui, `.dist-${process.pid}`);
  try {
    if (await isBuilt(ui, digest)) return false;
    await promisify(execFile)(process.execPath, [vite, 'build', ui, '--outDir', draft, '--emptyOutDir'], {
      cwd: root,
      timeout: BUILD_MS,
      env: { ...process.env, NODE_ENV: 'production' },
    });
    await writeFile(join(draft, DIGEST_FILE), digest);
    await rm(join(ui, '.dist-old'), { recursive: true, force: true });
    if (existsSync(join(ui, 'dist'))) await rename(join(ui, 'dist'), join(ui, '.dist-old'));
    await rename(draft, join(ui, 'dist'));
    return true;
  } catch (error) {
    const said = (error as { stderr?: string }).stderr ?? String(error);
    throw new KubewrightError('UI_NOT_BUILT', 'the web UI could not be built', {
      cause: error,
      evidence: said.slice(-EVIDENCE_CHARS),
    });
  } finally {
    for (const each of [draft, join(ui, '.dist-old')]) await rm(each, { recursive: true, force: true });
    await release();
  }
}

const isBuilt = async (ui: string, digest: string): Promise<boolean> =>
  (await readFile(join(ui, 'dist', DIGEST_FILE), 'utf8').catch(() => '')) === digest &&
  existsSync(join(ui, 'dist', 'index.html'));

/** sha256 over names and content of what the build reads: the folder ui, contracts that it imports, and the lock file. */
async function digestOf(root: string): Promise<string> {
  const hash = createHash('sha256');
  hash.update(await readFile(join(root, 'package-lock.json')));
  for (const top of ['ui', 'contracts']) {
    const entries = await readdir(join(root, top), { recursive: true, withFileTypes: true });
    const files = entries
      .filter((each) => each.isFile())
      .map((each) => join(each.parentPath, each.name).slice(root.length + 1))
      .filter((path) => !/^ui\/(?:dist|\.dist-[^/]*|\.building)(?:\/|$)/.test(path))
      .sort((a, b) => (a < b ? -1 : 1));
    for (const path of files) hash.update(`\0${path}\0`).update(await readFile(join(root, path)));
  }
  return hash.digest('hex');
}

/** One process at a time; a lock whose process is gone counts as free. Returns the function that releases it. */
async function lock(folder: string): Promise<() => Promise<void>> {
  for (const until = Date.now() + BUILD_MS; ; ) {
    try {
      await mkdir(folder);
      await writeFile(join(folder, 'pid'), String(process.pid));
      return () => rm(folder, { recursive: true, force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    await sleep(200);
    const pid = Number(await readFile(join(folder, 'pid'), 'utf8').catch(() => ''));
    if ((pid > 0 && !existsSync(`/proc/${pid}`)) || Date.now() > until) {
      await rm(folder, { recursive: true, force: true });
    }
  }
}
