import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { KubewrightError } from '../../contracts/errors.ts';

/** Keys of an installation that are given by the environment instead of a file. */
const VARIABLES = ['KUBEWRIGHT_SECRET_KEY', 'KUBEWRIGHT_AUDIT_KEY', 'KUBEWRIGHT_COMMAND_KEY'] as const;
/** Key files of a data directory: secret.key, audit.key and others of this form. */
const KEY_FILE = /^[a-z][a-z0-9-]{0,40}\.key$/;
const MAX_BYTES = 64 * 1024;

const keyFile = z.string().regex(KEY_FILE);
const keyText = z.string().min(1).max(MAX_BYTES);
const backedUpKeys = z.strictObject({
  format: z.literal('kubewright-keys'),
  version: z.literal(1),
  files: z.record(keyFile, keyText),
  environment: z.partialRecord(z.enum(VARIABLES), keyText),
});
export type BackedUpKeys = z.infer<typeof backedUpKeys>;

/** Write the keys of an installation to `path` (0600; must not exist). Returns their names. */
export function writeKeys(dataDir: string, env: NodeJS.ProcessEnv, path: string): string[] {
  const names = existsSync(dataDir) ? readdirSync(dataDir).filter((name) => KEY_FILE.test(name)) : [];
  const files = Object.fromEntries(names.sort().map((name) => [name, readFileSync(join(dataDir, name), 'utf8')]));
  const environment = Object.fromEntries(VARIABLES.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
  const keys = backedUpKeys.parse({ format: 'kubewright-keys', version: 1, files, environment });
  writeFileSync(path, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600, flag: 'wx', flush: true });
  return [...Object.keys(files), ...Object.keys(environment)];
}

/** Throws BACKUP_INVALID, NOT_FOUND. */
export function readKeys(path: string): BackedUpKeys {
  const info = statSync(path, { throwIfNoEntry: false });
  if (!info) throw new KubewrightError('NOT_FOUND', `there is no file ${path}`);
  try {
    if (info.size > MAX_BYTES * 8) throw new Error('it is too large');
    return backedUpKeys.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    // Nothing of its content is quoted: it holds keys.
    throw new KubewrightError('BACKUP_INVALID', `${path} is not a file of keys of this version`);
  }
}

/** Put the key files into a data directory. Throws CONFLICT when another key is there: nothing is replaced. */
export function placeKeys(dataDir: string, { files }: BackedUpKeys): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const missing = Object.entries(files).filter(([name, text]) => {
    const file = join(dataDir, name);
    if (!existsSync(file)) return true;
    if (readFileSync(file, 'utf8') === text) return false;
    throw new KubewrightError('CONFLICT', `${file} holds another key: restore into a new data directory`);
  });
  for (const [name, text] of missing) {
    writeFileSync(join(dataDir, name), text, { mode: 0o600, flag: 'wx', flush: true });
  }
}
