import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { CLI_EXIT } from './exit-codes.ts';
import { CliError } from './explain.ts';

/** Where a service is, and who asks. `token` is the token itself; a file is read at each use. */
export interface Context {
  server: string;
  tokenFile?: string;
  token?: string;
  certificateAuthority?: string;
}

export interface Contexts {
  current?: string;
  contexts: Record<string, Context>;
}

/** The file of contexts: KUBEWRIGHT_CONFIG, or the folder for configuration of the user. */
export const contextsFile = (): string =>
  process.env['KUBEWRIGHT_CONFIG'] ??
  join(process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'kubewright', 'config.yaml');

/** The contexts of the file; none when there is no file. Throws CliError for a file that others may read, and for one that is no such file. */
export function readContexts(file = contextsFile()): Contexts {
  if (!existsSync(file)) return { contexts: {} };
  const mode = statSync(file).mode & 0o777;
  if ((mode & 0o077) !== 0) {
    throw new CliError(
      `${file} has the mode ${mode.toString(8)}, and may hold tokens: chmod 600 ${file}`,
      CLI_EXIT.failed,
    );
  }
  let read: unknown;
  try {
    read = parse(readFileSync(file, 'utf8'), { maxAliasCount: 0 });
  } catch (error) {
    throw new CliError(`${file} is no YAML: ${(error as Error).message}`, CLI_EXIT.failed, { cause: error });
  }
  const { current, contexts } = (read ?? {}) as Partial<Contexts>;
  const known = contexts === undefined || (typeof contexts === 'object' && contexts !== null);
  if (!known) throw new CliError(`${file}: contexts must be a map of names`, CLI_EXIT.failed);
  for (const [name, context] of Object.entries(contexts ?? {})) {
    if (typeof (context as Partial<Context> | null)?.server !== 'string') {
      throw new CliError(`${file}: the context ${name} has no server`, CLI_EXIT.failed);
    }
  }
  return { contexts: contexts ?? {}, ...(typeof current === 'string' ? { current } : {}) };
}

/** Replaces the file, readable by its owner alone from the first byte. */
export function writeContexts(contexts: Contexts, file = contextsFile()): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, stringify(contexts), { mode: 0o600 });
  chmodSync(draft, 0o600);
  renameSync(draft, file);
}

/** The context by that name. Throws CliError. */
export function contextNamed({ contexts }: Contexts, name: string): Context {
  const found = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (found) return found;
  const known = Object.keys(contexts).join(', ') || 'none';
  throw new CliError(`there is no context ${name} (contexts: ${known})`, CLI_EXIT.usage);
}
