import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import type { Arch } from '../../activities/artifacts/artifact.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { isIntact, publish } from './files.ts';
import { type Manifest, readManifest, writeManifest } from './manifest.ts';
import { type MirrorProgress, type MirrorUnit, SourceUnavailable } from './types.ts';

/** One build often waits for its linker; a second one then uses the other core. */
const BUILDS_AT_ONCE = 2;

/** Fills `root` with the given units; the caller holds the mirror's lock. */
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
    const before = unit.after.map((name) => results.get(name)).filter((earlier) => earlier !== undefined);
    const start = async (): Promise<KubewrightError | undefined> => {
      const began = Date.now();
      const entries = await supplyUnit(unit, options).catch((error: unknown) => failureOf(unit, error));
      if (entries instanceof KubewrightError) {
        const message = `failed: ${entries.message}`;
        options.onProgress({ artifact: unit.name, state: 'warn', elapsedMs: Date.now() - began, message });
        return entries;
      }
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
  const report = (state: MirrorProgress['state'], more: { source?: string; message?: string } = {}): void =>
    options.onProgress({ artifact: unit.name, state, elapsedMs: Date.now() - started, ...more });
  const refusals: string[] = [];
  for (const source of unit.sources) {
    const workDir = await mkdtemp(join(runDir, `${unit.name.replaceAll('/', '-')}-`));
    try {
      const supplied = await source.supply({ arch, workDir, root, report });
      const lacking = unit.files.filter((file) => !supplied.some(({ mirrorPath }) => mirrorPath === file.mirrorPath));
      if (lacking.length > 0)
        throw new SourceUnavailable(`${source.name} gave no ${lacking[0]?.mirrorPath}`, { loud: true });
      const entries: Manifest['files'] = {};
      for (const file of supplied) entries[file.mirrorPath] = await publish(root, file);
      report('done', supplied[0] ? { source: supplied[0].source } : {});
      return entries;
    } catch (error) {
      if (!(error instanceof SourceUnavailable)) throw error;
      refusals.push(`${source.name}: ${error.message}`);
      if (error.loud) report('warn', { message: error.message });
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

/** The units of which the mirror lacks a file, or has one that was changed since it was published. */
export async function missing(root: string, units: readonly MirrorUnit[], manifest: Manifest): Promise<MirrorUnit[]> {
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
