import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from './run.ts';
import type { TemporalSource } from './source.ts';
import { cachedPath } from './source-cache.ts';
import { TEMPORAL_CLI_VERSION, versionOf } from './version.ts';

/** The SDK's download has no reachability check of its own: without a first byte after this long, it is given up. */
const FIRST_BYTE_MS = 8_000;
const TOTAL_MS = 180_000;

/**
 * The SDK's own download. It exists only together with starting a server, and only in @temporalio/testing, so it runs
 * in a child process that we can end.
 */
export const sdkSource: TemporalSource = {
  name: 'sdk',
  async find({ cacheDir, onProgress }) {
    const folder = join(cacheDir, `sdk-${process.pid}`);
    mkdirSync(folder, { recursive: true });
    const stop = new AbortController();
    const watch = setInterval(() => {
      if (!hasBytes(folder)) stop.abort();
    }, FIRST_BYTE_MS);
    try {
      onProgress(`Temporal ${TEMPORAL_CLI_VERSION}: trying the SDK's download`);
      await run([process.execPath, join(import.meta.dirname, 'sdk-download.ts'), folder, TEMPORAL_CLI_VERSION], {
        timeoutMs: TOTAL_MS,
        signal: stop.signal,
        onWait: (seconds) => onProgress(`Temporal: downloading (${seconds} s)`),
      });
      const name = readdirSync(folder).find((each) => each.startsWith('temporal'));
      if (!name) return { skipped: 'the SDK downloaded nothing' };
      const path = cachedPath(cacheDir, TEMPORAL_CLI_VERSION);
      mkdirSync(dirname(path), { recursive: true });
      chmodSync(join(folder, name), 0o755);
      renameSync(join(folder, name), path);
      const version = await versionOf(path);
      return version
        ? { path, version, source: 'sdk' }
        : { skipped: 'the program that the SDK downloaded does not run' };
    } catch {
      return { skipped: 'the download of the SDK cannot be reached' };
    } finally {
      clearInterval(watch);
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

function hasBytes(folder: string): boolean {
  return readdirSync(folder).some((name) => statSync(join(folder, name)).size > 0);
}
