import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { TemporalSource } from './source.ts';
import { isAtLeast, OLDEST_SERVER, versionOf } from './version.ts';

/** A `temporal` that the machine's owner installed. */
export const pathSource: TemporalSource = {
  name: 'path',
  async find() {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      if (!folder.startsWith('/')) continue;
      const path = join(folder, 'temporal');
      try {
        accessSync(path, constants.X_OK);
      } catch {
        continue;
      }
      const version = await versionOf(path);
      if (!version) return { skipped: `${path} is not the temporal program` };
      if (!isAtLeast(version.server, OLDEST_SERVER)) {
        return { skipped: `${path} holds server ${version.server}, older than ${OLDEST_SERVER}` };
      }
      return { path, version, source: 'path' };
    }
    return { skipped: 'no temporal on PATH' };
  },
};
