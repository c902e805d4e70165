import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { GoRecipe } from '../../activities/artifacts/mirror-recipe.ts';
import { withLock } from '../lock.ts';
import { GoWorkshop } from '../mirror/go/workshop.ts';
import { defaultCacheDir } from '../paths.ts';
import { run } from '../run.ts';
import type { Progress } from '../types.ts';

/** A server or tool that tests run for real, built from its Go module. */
export interface GoProgram {
  /** Of its folder in the cache. */
  name: string;
  recipe: GoRecipe;
  /** Folders of the module that it needs at run time, such as database schemas. */
  folders?: readonly string[];
}

/** Longest wait for another run of this machine that builds the same program. */
const BUILD_WAIT_MS = 40 * 60_000;
/** Changes with the way in which programs are kept here. */
const LAYOUT = 1;

/**
 * The folder with a program's outputs and folders, built when it is not there: `<cache>/programs/<name>-<version>-<recipe>`.
 * Minutes the first time. Throws SourceUnavailable without Go, LAB_FAILED with the compiler's last lines.
 */
export async function ensureProgram(
  program: GoProgram,
  onProgress: Progress,
  cacheDir = defaultCacheDir(),
): Promise<string> {
  const { name, recipe, folders = [] } = program;
  const digest = createHash('sha256')
    .update(JSON.stringify([LAYOUT, recipe, folders]))
    .digest('hex')
    .slice(0, 8);
  const parent = join(cacheDir, 'programs');
  const home = join(parent, `${name}-${recipe.version.replace(/^v|\+.*$/g, '')}-${digest}`);
  if (existsSync(home)) return home;
  await mkdir(parent, { recursive: true });
  await withLock(`${home}.lock`, BUILD_WAIT_MS, async () => {
    if (existsSync(home)) return;
    const workDir = `${home}.work`;
    const draft = `${home}.tmp`;
    for (const folder of [workDir, draft]) {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder);
    }
    const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
    const workshop = new GoWorkshop({ cacheDir, workDir, arch, kubernetesVersion: '' });
    const built = await workshop.build(recipe, (line) => onProgress(`${name}: ${line}`));
    for (const [output, path] of built.outputs) await rename(path, join(draft, output));
    for (const folder of folders) {
      await cp(join(built.moduleFolder, folder), join(draft, folder), { recursive: true });
    }
    // The module cache is read-only, folders included.
    await run(['chmod', '-R', 'u+w', draft]);
    await chmod(draft, 0o755);
    await rename(draft, home);
    await rm(workDir, { recursive: true, force: true });
  });
  return home;
}
