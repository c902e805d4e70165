import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { link, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { KubewrightError } from '../../contracts/errors.ts';
import { asStoreError } from '../guard.ts';
import { type BackupHead, encodeValue, FORMAT, VERSION } from './format.ts';
import { postgresSnapshot, type Snapshot, sqliteSnapshot } from './snapshot.ts';

/** Where a database is: `url` (PostgreSQL), else the file `kubewright.db` at `file`. */
export type DatabasePlace = { url: string } | { file: string };

/**
 * Write the whole database to `path` (mode 0600), as it is at one moment; the service may run. Written aside and then named:
 * a backup that was cut off has no name. Returns the rows per table. Throws STORE_FAILED and its kind.
 */
export async function writeBackup(place: DatabasePlace, path: string): Promise<Record<string, number>> {
  const rows: Record<string, number> = {};
  const draft = `${path}.part`;
  const write = (snapshot: Snapshot): Promise<void> =>
    pipeline(
      Readable.from(lines(snapshot, rows)),
      createGzip({ level: 6 }),
      createWriteStream(draft, { mode: 0o600, flags: 'wx', flush: true }),
    );
  try {
    await ('url' in place ? postgresSnapshot(place.url, write) : sqliteSnapshot(place.file, write));
    // Not renamed: that would replace what is there.
    await link(draft, path);
    await rm(draft);
    return rows;
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && syscall === 'open') {
      throw new KubewrightError('CONFLICT', `${draft} exists: another backup is running, or was interrupted`);
    }
    await rm(draft, { force: true });
    if (code === 'EEXIST') throw new KubewrightError('CONFLICT', `${path} exists: a backup does not overwrite files`);
    throw asStoreError(error);
  }
}

async function* lines(snapshot: Snapshot, counts: Record<string, number>): AsyncGenerator<string> {
  const digest = createHash('sha256');
  const line = (document: object): string => {
    const text = `${JSON.stringify(document)}\n`;
    digest.update(text);
    return text;
  };
  const head: BackupHead = {
    format: FORMAT,
    version: VERSION,
    schema: snapshot.migrations.at(-1) ?? '',
    createdAt: new Date().toISOString(),
    engine: snapshot.engine,
  };
  yield line(head);
  for (const table of snapshot.tables) {
    counts[table] = 0;
    for await (const row of snapshot.rows(table)) {
      counts[table] += 1;
      yield line({ t: table, r: Object.fromEntries(Object.entries(row).map(([name, of]) => [name, encodeValue(of)])) });
    }
  }
  yield `${JSON.stringify({ end: true, rows: counts, sha256: digest.digest('hex') })}\n`;
}
