import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KubewrightError } from '../../contracts/errors.ts';
import type { TemporalVersion } from './version.ts';

const FILE = 'versions.json';

/**
 * Holds the database to the server version that made it: its schema is written once and never migrated, and a newer
 * server on an older file was seen to hang. Throws TEMPORAL_UNAVAILABLE on a mismatch (patch releases may differ).
 */
export function checkMarker(folder: string, version: TemporalVersion): void {
  const file = join(folder, FILE);
  if (!existsSync(file)) {
    writeFileSync(file, `${JSON.stringify({ ...version, createdAt: new Date().toISOString() })}\n`);
    return;
  }
  const made = JSON.parse(readFileSync(file, 'utf8')) as TemporalVersion;
  const minor = (text: string) => text.split('.').slice(0, 2).join('.');
  if (minor(made.server) === minor(version.server)) return;
  throw new KubewrightError(
    'TEMPORAL_UNAVAILABLE',
    `the Temporal database was made by server ${made.server}, and the program found here is server ${version.server}`,
    { evidence: `Use temporal ${made.cli}, or move ${folder} away: the journal of Kubewright is not in it.` },
  );
}
