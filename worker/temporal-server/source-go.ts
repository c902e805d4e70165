import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { run } from './run.ts';
import type { TemporalSource } from './source.ts';
import { cachedPath, GO_CLI_VERSION } from './source-cache.ts';
import { versionOf } from './version.ts';

/** Built from source by Go: about three minutes on two cores, and an older server. The last resort. */
export const goSource: TemporalSource = {
  name: 'go',
  async find({ cacheDir, onProgress }) {
    const path = cachedPath(cacheDir, GO_CLI_VERSION);
    mkdirSync(dirname(path), { recursive: true });
    try {
      onProgress(`Temporal ${GO_CLI_VERSION}: building from source with Go (about 3 minutes)`);
      await run(['go', 'install', `github.com/temporalio/cli/cmd/temporal@v${GO_CLI_VERSION}`], {
        timeoutMs: 1_200_000,
        env: { ...process.env, GOBIN: dirname(path), GOFLAGS: '-mod=mod' },
        onWait: (seconds) => onProgress(`Temporal: building (${seconds} s)`),
      });
      const version = await versionOf(path);
      return version ? { path, version, source: 'go' } : { skipped: 'the program that Go built does not run' };
    } catch (error) {
      return { skipped: `go install: ${error instanceof Error ? error.message : String(error)}` };
    }
  },
};
