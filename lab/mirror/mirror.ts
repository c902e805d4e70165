import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Arch } from '../../activities/artifacts/artifact.ts';
import { DEFAULT_KUBERNETES_VERSION } from '../../activities/kube/artifacts.ts';
import { CATALOGUE } from '../../activities/phases/catalogue.ts';
import { defaultCacheDir } from '../paths.ts';
import { fillMirror, missing } from './fill.ts';
import { GoWorkshop } from './go/workshop.ts';
import { withFileLock } from './lock.ts';
import { type Manifest, readManifest } from './manifest.ts';
import { scanRecipes } from './recipes.ts';
import { machineArch } from './sources/other-arch.ts';
import { openWeb } from './sources/web.ts';
import type { MirrorProgress } from './types.ts';
import { chooseUnits, mirrorUnits } from './units.ts';

export interface MirrorOptions {
  /** Kubewright's cache folder; the mirror is `<cacheDir>/mirror`. */
  cacheDir?: string;
  kubernetesVersion?: string;
  arch?: Arch;
  /** Names of units, such as `kubernetes` or `image/coredns`; absent: all but those that are filled on demand. */
  only?: readonly string[];
  /** What is filled on demand besides: names of phases (all of theirs), or of units. */
  with?: readonly string[];
  onProgress?: (progress: MirrorProgress) => void;
}

/** A mirror that is complete for what was asked. */
export interface Mirror {
  /** Folder to serve. */
  root: string;
  manifest: Manifest;
}

/**
 * Fills the artifact mirror of this machine with what is missing, each unit by the first source that answers, and returns
 * it. Two runs side by side share the work: the second waits, then finds everything there. A unit that could not be had
 * does not stop the others; at the end LAB_FAILED names all of them.
 */
export async function ensureMirror(options: MirrorOptions = {}): Promise<Mirror> {
  const cacheDir = options.cacheDir ?? defaultCacheDir();
  const root = join(cacheDir, 'mirror');
  const arch = options.arch ?? machineArch();
  const kubernetesVersion = options.kubernetesVersion ?? DEFAULT_KUBERNETES_VERSION;
  const onProgress = options.onProgress ?? (() => {});

  const work = join(cacheDir, 'mirror-work');
  // Always the same name: Go programs carry the paths of their sources, and a rebuild should keep its digest.
  const runDir = join(work, 'run');
  const workshop = new GoWorkshop({ cacheDir, workDir: runDir, arch, kubernetesVersion });
  const all = mirrorUnits({
    ...{ arch, kubernetesVersion, workshop, web: openWeb() },
    ...{ catalogue: CATALOGUE, recipes: await scanRecipes() },
  });
  const units = chooseUnits(all, options);

  // Without the lock first: a warm start reads one file and looks at some others.
  const present = await readManifest(root);
  const wanted = units.filter((unit) => !unit.optional || options.only?.includes(unit.name));
  if ((await missing(root, wanted, present)).length === 0) {
    onProgress({ artifact: 'mirror', state: 'have', elapsedMs: 0 });
    return { root, manifest: present };
  }
  const started = Date.now();
  const onWait = (holder: string): void =>
    onProgress({
      artifact: 'mirror',
      state: 'wait',
      elapsedMs: Date.now() - started,
      message: `process ${holder} fills the mirror; waiting for it`,
    });
  return await withFileLock(join(cacheDir, 'mirror.lock'), onWait, async () => {
    // Whatever lies here belongs to runs that were killed: the lock is ours.
    for (const left of await readdir(work).catch(() => []))
      await rm(join(work, left), { recursive: true, force: true });
    await mkdir(runDir, { recursive: true });
    try {
      return { root, manifest: await fillMirror({ root, runDir, units, arch, onProgress }) };
    } finally {
      await rm(runDir, { recursive: true, force: true });
    }
  });
}
