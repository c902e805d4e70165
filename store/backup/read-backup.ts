import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { KubewrightError } from '../../contracts/errors.ts';
import { type BackupHead, backupEnd, backupHead, backupRow, decodeValue } from './format.ts';

export type BackupRow = { table: string; row: Record<string, string | number | null | Uint8Array> };

/** One line: a bundle piece of 1 MiB in base64 is the longest that we write. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

/** Read a whole backup and check it: every line, the number of rows, the digest. Throws BACKUP_INVALID. */
export async function checkBackup(path: string): Promise<{ head: BackupHead; rows: Record<string, number> }> {
  const digest = createHash('sha256');
  const counted: Record<string, number> = {};
  let head: BackupHead | null = null;
  let ended = false;
  for await (const line of backupLines(path)) {
    if (ended) throw invalid(path, 'it has data behind its end');
    const document = parsed(path, line);
    if (head === null) {
      head = shaped(path, backupHead, document, 'its first line is not the head of a backup of this version');
    } else if ('end' in document) {
      const end = shaped(path, backupEnd, document, 'its end is malformed');
      if (end.sha256 !== digest.digest('hex')) throw invalid(path, 'its content was changed: the digest differs');
      if (JSON.stringify(sorted(end.rows)) !== JSON.stringify(sorted({ ...zeros(end.rows), ...counted }))) {
        throw invalid(path, 'its number of rows is not what its end says');
      }
      ended = true;
      continue;
    } else {
      const { t } = shaped(path, backupRow, document, 'a line is not a row');
      counted[t] = (counted[t] ?? 0) + 1;
    }
    digest.update(`${line}\n`);
  }
  if (head === null || !ended) throw invalid(path, 'it is cut off');
  return { head, rows: counted };
}

/** The rows of a backup that `checkBackup` has passed. */
export async function* backupRows(path: string): AsyncGenerator<BackupRow> {
  let first = true;
  for await (const line of backupLines(path)) {
    const document = parsed(path, line);
    if (!first && !('end' in document)) {
      const { t, r } = shaped(path, backupRow, document, 'a line is not a row');
      yield { table: t, row: Object.fromEntries(Object.entries(r).map(([name, of]) => [name, decodeValue(of)])) };
    }
    first = false;
  }
}

/** The lines of the file, each at most MAX_LINE_BYTES long. */
async function* backupLines(path: string): AsyncGenerator<string> {
  // The callback only ends the streams: an error of either one is thrown by the iteration.
  const text = pipeline(createReadStream(path), createGunzip(), () => undefined);
  let parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of text as AsyncIterable<Buffer>) {
      let from = 0;
      for (let at = chunk.indexOf(10, from); at >= 0; at = chunk.indexOf(10, from)) {
        parts.push(chunk.subarray(from, at));
        yield Buffer.concat(parts).toString('utf8');
        parts = [];
        length = 0;
        from = at + 1;
      }
      parts.push(chunk.subarray(from));
      length += chunk.length - from;
      if (length > MAX_LINE_BYTES) throw invalid(path, 'a line is too long');
    }
  } catch (error) {
    if (KubewrightError.is(error)) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new KubewrightError('NOT_FOUND', `there is no file ${path}`, { cause: error });
    }
    throw invalid(path, error instanceof Error ? error.message : String(error), error);
  }
  if (length > 0) throw invalid(path, 'it is cut off');
}

function parsed(path: string, line: string): object {
  try {
    const document: unknown = JSON.parse(line);
    if (typeof document === 'object' && document !== null) return document;
  } catch {
    // Said below: a line of JSON that is no object is as wrong.
  }
  throw invalid(path, 'a line is not a JSON object');
}

function shaped<T>(
  path: string,
  schema: { safeParse(value: unknown): { success: true; data: T } | { success: false } },
  document: object,
  problem: string,
): T {
  const result = schema.safeParse(document);
  if (!result.success) throw invalid(path, problem);
  return result.data;
}

const zeros = (rows: Record<string, number>) => Object.fromEntries(Object.keys(rows).map((name) => [name, 0]));
const sorted = (rows: Record<string, number>) => Object.entries(rows).sort(([a], [b]) => (a < b ? -1 : 1));

function invalid(path: string, problem: string, cause?: unknown): KubewrightError {
  return new KubewrightError('BACKUP_INVALID', `${path} cannot be restored: ${problem}`, { cause });
}
