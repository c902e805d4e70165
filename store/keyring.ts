import { randomBytes, randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KubewrightError } from '../contracts/errors.ts';
import { sha256 } from './canonical.ts';

/** Keys for secrets at rest: one seals, all of them open. */
export interface Keyring {
  /** Id of the key that seals. An id is the start of the key's own sha256. */
  readonly currentId: string;
  key(id: string): Uint8Array | undefined;
  /** All ids, the sealing one first. */
  readonly ids: readonly string[];
  /** How to change it; null when the keys were given and are not ours to keep. */
  readonly file: KeyFile | null;
}

/** The file of a keyring. Every process that has it open sees a change at once. */
export interface KeyFile {
  /** A fresh key, which seals from now on; the others still open. */
  renew(): void;
  /** Forget all keys but the one that seals. */
  keepCurrent(): void;
  /** Remove the file if opening it made it: for a start that is refused. */
  removeIfNew(): void;
}

const KEY_BYTES = 32;
const KEY_FILE = 'secret.key';

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
  return { currentId: keyId(first), key: (id) => byId.get(id), ids: [...byId.keys()], file: null };
}

/**
 * The keyring of a data directory: from `given` (KUBEWRIGHT_SECRET_KEY), else from the file `secret.key` there, which the
 * first start makes. The folder must exist.
 */
export function openKeyring(dataDir: string, given?: string): Keyring {
  if (given !== undefined && given !== '') return parseKeyring(given);
  const file = join(dataDir, KEY_FILE);
  const isNew = stamp(file) === null;
  if (isNew) {
    // Two first starts at once agree on one key, and a crash leaves no half-written one.
    writeDraft(file, freshKey(), (draft) => linkUnlessThere(draft, file));
  }
  return fileKeyring(file, isNew);
}

/** Read anew whenever the file changed: another process may have renewed the key. */
function fileKeyring(file: string, isNew: boolean): Keyring {
  let text = readFileSync(file, 'utf8');
  let seen = stamp(file);
  let ring = parseKeyring(text);
  const present = (): Keyring => {
    const now = stamp(file);
    // Gone for a moment or for good: what was read still opens everything.
    if (now === null || now === seen) return ring;
    text = readFileSync(file, 'utf8');
    ring = parseKeyring(text);
    seen = now;
    return ring;
  };
  const write = (keys: string): void => {
    writeDraft(file, keys, (draft) => renameSync(draft, file));
    present();
  };
  return {
    get currentId() {
      return present().currentId;
    },
    get ids() {
      return present().ids;
    },
    key: (id) => present().key(id),
    file: {
      renew: () => {
        present();
        write(`${freshKey()},${text.trim()}`);
      },
      keepCurrent: () => {
        const ring = present();
        write(Buffer.from(ring.key(ring.currentId)!).toString('base64'));
      },
      removeIfNew: () => {
        if (isNew) rmSync(file, { force: true });
      },
    },
  };
}

const freshKey = (): string => randomBytes(KEY_BYTES).toString('base64');

/** Written in full before it gets its name. */
function writeDraft(file: string, keys: string, place: (draft: string) => void): void {
  const draft = `${file}.${randomUUID()}`;
  writeFileSync(draft, `${keys}\n`, { mode: 0o600, flag: 'wx', flush: true });
  try {
    place(draft);
  } finally {
    rmSync(draft, { force: true });
  }
}

function linkUnlessThere(draft: string, file: string): void {
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Differs when the file does: every writing makes a new inode. Null: there is none. */
function stamp(file: string): string | null {
  const info = statSync(file, { bigint: true, throwIfNoEntry: false });
  return info ? `${info.ino}:${info.mtimeNs}:${info.size}` : null;
}

function keyId(key: Uint8Array): string {
  return sha256(key).slice(0, 16);
}
