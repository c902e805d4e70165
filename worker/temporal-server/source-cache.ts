import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TemporalSource } from './source.ts';
import { TEMPORAL_CLI_VERSION, versionOf } from './version.ts';

/** Where a program of a CLI version lies in the cache. */
export const cachedPath = (cacheDir: string, version: string): string =>
  join(cacheDir, `cli-${version}-${process.platform}-${process.arch}`, 'temporal');

/** What an earlier run downloaded or built. */
export const cacheSource: TemporalSource = {
  name: 'cache',
  async find({ cacheDir }) {
    // The pinned version first; then the older one that only `go install` can build.
    for (const cli of [TEMPORAL_CLI_VERSION, GO_CLI_VERSION]) {
      const path = cachedPath(cacheDir, cli);
      const version = existsSync(path) ? await versionOf(path) : null;
      if (version) return { path, version, source: 'cache' };
    }
    return { skipped: 'nothing cached yet' };
  },
};

/** Last CLI that `go install` accepts: from 1.6.0 on its go.mod has a local replace. Server 1.29.1. */
export const GO_CLI_VERSION = '1.5.1';
