import { randomBytes, randomUUID } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KubewrightError } from '../contracts/errors.ts';
import { sha256 } from './canonical.ts';

/** Keys for secrets at rest: one seals, all of them open. */
export interface Keyring {
  /** Id of the key that seals. An id is the start of the key's own sha256. */
  readonly currentId: string;
  key(id: string): Uint8Array | undefined;
}

const KEY_BYTES = 32;

/** Keys in base64, 32 bytes each, separated by commas: the first one seals, the others still open. */
export function parseKeyring(text: string): Keyring {
  const keys = text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
    .map((each) => Buffer.from(each, 'base64'));
  const [first] = keys;
  if (!first || keys.some((key) => key.length !== KEY_BYTES)) {
    throw new KubewrightError('SECRET_UNREADABLE', 'the secret key must be 32 bytes in base64');
  }
  const byId = new Map(keys.map((key) => [keyId(key), key]));
  return { currentId: keyId(first), key: (id) => byId.get(id) };
}

/**
 * The keyring of a data directory: from `given` (KUBEWRIGHT_SECRET_KEY), else from the file `secret.key` there, which the
 * first start makes. The folder must exist.
 */
export function openKeyring(dataDir: string, given?: string): Keyring {
  if (given !== undefined && given !== '') return parseKeyring(given);
  const file = join(dataDir, 'secret.key');
  const known = read(file);
  if (known !== undefined) return parseKeyring(known);
  // Written aside and linked: two first starts at once agree on one key, and a crash leaves no half-written one.
  const fresh = `${file}.${randomUUID()}`;
  writeFileSync(fresh, `${randomBytes(KEY_BYTES).toString('base64')}\n`, { mode: 0o600, flag: 'wx', flush: true });
  try {
    linkSync(fresh, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(fresh, { force: true });
  }
  return parseKeyring(readFileSync(file, 'utf8'));
}

function keyId(key: Uint8Array): string {
  return sha256(key).slice(0, 16);
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
