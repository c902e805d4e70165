import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { type Arch, DEFAULT_KUBERNETES_VERSION } from '../../activities/artifacts/catalogue.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { defaultCacheDir } from '../paths.ts';
import { isIntact, publish } from './files.ts';
import { GoWorkshop } from './go/workshop.ts';
import { withFileLock } from './lock.ts';
import { type Manifest, readManifest, writeManifest } from './manifest.ts';
import { HostGate } from './sources/release.ts';
import { type MirrorProgress, type MirrorUnit, SourceUnavailable } from './types.ts';
import { mirrorUnits } from './units.ts';

/** One build often waits for its linker; a second one then uses the other core. */
const BUILDS_AT_ONCE = 2;

export interface MirrorOptions {
  /** Kubewright's cache folder; the mirror is `<cacheDir>/mirror`. */
  cacheDir?: string;
  kubernetesVersion?: string;
  arch?: Arch;
  /** Names of units, such as `kubernetes` or `image/coredns`; all when absent. */
  only?: readonly string[];
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
  const arch = options.arch ?? (process.arch === 'arm64' ? 'arm64' : 'amd64');
  const kubernetesVersion = options.kubernetesVersion ?? DEFAULT_KUBERNETES_VERSION;
  const onProgress = options.onProgress ?? (() => {});

  const work = join(cacheDir, 'mirror-work');
  const runDir = (await mkdir(work, { recursive: true }), join(work, `run-${process.pid}-${Date.now()}`));
  const workshop = new GoWorkshop({ cacheDir, workDir: runDir, arch, kubernetesVersion });
  const all = mirrorUnits({ arch, kubernetesVersion, workshop, gate: new HostGate() });
  const units = chosen(all, options.only);

  // Without the lock first: a warm start reads one file and looks at some others.
  if ((await missing(root, units, await readManifest(root))).length === 0) {
    onProgress({ artifact: 'mirror', state: 'have', elapsedMs: 0 });
    return { root, manifest: await readManifest(root) };
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
    for (const left of await readdir(work)) await rm(join(work, left), { recursive: true, force: true });
    await mkdir(runDir, { recursive: true });
    try {
      return { root, manifest: await fillMirror({ root, runDir, units, arch, onProgress }) };
    } finally {
      await rm(runDir, { recursive: true, force: true });
    }
  });
}

/** Fills `root` with the given units; the caller holds the mirror's lock. Exported for tests. */
export async function fillMirror(options: {
  root: string;
  runDir: string;
  units: readonly MirrorUnit[];
  arch: Arch;
  onProgress: (progress: MirrorProgress) => void;
}): Promise<Manifest> {
  const { root, units } = options;
  const manifest = await readManifest(root);
  const absent = new Set(await missing(root, units, manifest));
  const limit = pLimit(BUILDS_AT_ONCE);
  const results = new Map<string, Promise<KubewrightError | undefined>>();
  for (const unit of units) {
    if (!absent.has(unit)) {
      options.onProgress({ artifact: unit.name, state: 'have', elapsedMs: 0 });
      continue;
    }
    const before = unit.after.map((name) => results.get(name));
    const start = async (): Promise<KubewrightError | undefined> => {
      const entries = await supplyUnit(unit, options).catch((error: unknown) => failureOf(unit, error));
      if (entries instanceof KubewrightError) return entries;
      Object.assign(manifest.files, entries);
      await writeManifest(root, manifest);
      return undefined;
    };
    const result = Promise.all(before).then(() => (unit.light ? start() : limit(start)));
    results.set(unit.name, result);
  }
  const failures = (await Promise.all(results.values())).filter((failure) => failure !== undefined);
  const [first, ...others] = failures;
  if (first === undefined) return manifest;
  throw new KubewrightError('LAB_FAILED', [first, ...others].map((failure) => failure.message).join('; '), {
    cause: first,
    evidence: first.evidence,
  });
}

/** Tries the sources of a unit in order and moves what the first good one gives into the mirror. */
async function supplyUnit(
  unit: MirrorUnit,
  options: { root: string; runDir: string; arch: Arch; onProgress: (progress: MirrorProgress) => void },
): Promise<Manifest['files']> {
  const { root, runDir, arch } = options;
  const started = Date.now();
  const tell = (state: MirrorProgress['state'], more: { source?: string; message?: string } = {}): void =>
    options.onProgress({ artifact: unit.name, state, elapsedMs: Date.now() - started, ...more });
  const refusals: string[] = [];
  for (const source of unit.sources) {
    const workDir = await mkdtemp(join(runDir, `${unit.name.replaceAll('/', '-')}-`));
    try {
      const supplied = await source.supply({ arch, workDir, root, tell });
      const lacking = unit.files.filter((file) => !supplied.some(({ mirrorPath }) => mirrorPath === file.mirrorPath));
      if (lacking.length > 0)
        throw new SourceUnavailable(`${source.name} gave no ${lacking[0]?.mirrorPath}`, { loud: true });
      const entries: Manifest['files'] = {};
      for (const file of supplied) entries[file.mirrorPath] = await publish(root, file);
      tell('done', supplied[0] ? { source: supplied[0].source } : {});
      return entries;
    } catch (error) {
      if (!(error instanceof SourceUnavailable)) throw error;
      refusals.push(`${source.name}: ${error.message}`);
      if (error.loud) tell('warn', { message: error.message });
    } finally {
      await rm(workDir, { recursive: true, force: true });
    }
  }
  throw new KubewrightError('LAB_FAILED', `no source has ${unit.name}`, { evidence: refusals.join('\n') });
}

function failureOf(unit: MirrorUnit, error: unknown): KubewrightError | undefined {
  if (unit.optional) return undefined;
  if (KubewrightError.is(error)) {
    return new KubewrightError(error.code, `mirror unit ${unit.name}: ${error.message}`, {
      cause: error,
      evidence: error.evidence,
    });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new KubewrightError('LAB_FAILED', `mirror unit ${unit.name}: ${message}`, { cause: error });
}

async function missing(root: string, units: readonly MirrorUnit[], manifest: Manifest): Promise<MirrorUnit[]> {
  const absent = await Promise.all(
    units.map(async (unit) => {
      for (const { mirrorPath } of unit.files) {
        const entry = manifest.files[mirrorPath];
        if (entry === undefined || !(await isIntact(root, mirrorPath, entry))) return true;
      }
      return false;
    }),
  );
  return units.filter((_, index) => absent[index]);
}

function chosen(units: MirrorUnit[], only: readonly string[] | undefined): MirrorUnit[] {
  if (only === undefined) return units;
  const unknown = only.find((name) => !units.some((unit) => unit.name === name));
  if (unknown !== undefined) {
    throw new KubewrightError('ARTIFACT_UNKNOWN', `the mirror has no unit ${unknown}`, {
      evidence: `units: ${units.map(({ name }) => name).join(', ')}`,
    });
  }
  return units.filter(({ name }) => only.includes(name));
}
