import { readFileSync, statSync } from 'node:fs';

export type Environment = Record<string, string | undefined>;

/** Variables whose value is a secret: each may come from a file instead, named by the variable with `_FILE` at its end. */
export const SECRET_VARIABLES = [
  'KUBEWRIGHT_DATABASE_URL',
  'KUBEWRIGHT_DATABASE_PASSWORD',
  'KUBEWRIGHT_SECRET_KEY',
  'KUBEWRIGHT_AUDIT_KEY',
  'KUBEWRIGHT_COMMAND_KEY',
  'KUBEWRIGHT_METRICS_TOKEN',
  'KUBEWRIGHT_TOKEN',
  'TEMPORAL_API_KEY',
  'TEMPORAL_TLS_CLIENT_KEY_DATA',
] as const;

/** These hold a path already; the name with `_FILE`, as containers spell it, is taken as well. */
const PATH_VARIABLES = [
  'KUBEWRIGHT_TLS_CERT',
  'KUBEWRIGHT_TLS_KEY',
  'KUBEWRIGHT_TEMPORAL_TLS_CA',
  'KUBEWRIGHT_TEMPORAL_TLS_CERT',
  'KUBEWRIGHT_TEMPORAL_TLS_KEY',
] as const;

/** Far more than any key or address; a wrong path is not read into memory. */
const MAX_BYTES = 16 * 1024;

export interface SecretEnvironment {
  /** The environment with every secret in its plain variable. For this process only: children get `process.env`. */
  env: Environment;
  /** One sentence each, without any value. */
  problems: string[];
}

/**
 * Reads the files that `*_FILE` variables name, and puts KUBEWRIGHT_DATABASE_PASSWORD into the address of the database.
 * Never throws: the caller reports these problems together with the others of the configuration.
 */
export function secretEnvironment(given: Environment): SecretEnvironment {
  const env: Environment = { ...given };
  const problems: string[] = [];
  const isGiven = (name: string) => (given[name] ?? '') !== '';
  for (const name of [...SECRET_VARIABLES, ...PATH_VARIABLES]) {
    const fileVariable = `${name}_FILE`;
    if (!isGiven(fileVariable)) continue;
    delete env[fileVariable];
    if (isGiven(name)) {
      problems.push(`${name} and ${fileVariable} are both set: set only one of them`);
    } else if ((PATH_VARIABLES as readonly string[]).includes(name)) {
      env[name] = given[fileVariable];
    } else {
      try {
        env[name] = secretFile(given[fileVariable]!);
      } catch (error) {
        problems.push(`${fileVariable}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
  if ((env['KUBEWRIGHT_DATABASE_PASSWORD'] ?? '') !== '') addPassword(env, problems);
  return { env, problems };
}

/** The content of a file without the line ends after it. Throws a sentence that names the file and what is wrong. */
function secretFile(path: string): string {
  let text: string;
  try {
    const info = statSync(path);
    // A pipe would block the start for ever, a device may have no end.
    if (!info.isFile()) throw new Error(`${path} is not a regular file`);
    if (info.size > MAX_BYTES) throw new Error(`${path} is too large: ${info.size} bytes, at most ${MAX_BYTES}`);
    text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new Error(`${path} does not exist`, { cause: error });
    if (code === 'EACCES' || code === 'EPERM') throw new Error(`${path} may not be read`, { cause: error });
    if (error instanceof TypeError) throw new Error(`${path} is not text in UTF-8`, { cause: error });
    throw error;
  }
  const value = text.replace(/[\r\n]+$/, '');
  if (value.trim() === '') throw new Error(`${path} is empty`);
  if (value.includes('\0')) throw new Error(`${path} is not text: it has a NUL byte`);
  return value;
}

function addPassword(env: Environment, problems: string[]): void {
  const password = env['KUBEWRIGHT_DATABASE_PASSWORD']!;
  const address = env['KUBEWRIGHT_DATABASE_URL'] ?? '';
  delete env['KUBEWRIGHT_DATABASE_PASSWORD'];
  // An address file that could not be read is reported already.
  if (address === '') {
    if (problems.length === 0) problems.push('KUBEWRIGHT_DATABASE_PASSWORD needs KUBEWRIGHT_DATABASE_URL');
    return;
  }
  // The schema of the configuration reports a text that is not an address.
  if (!URL.canParse(address)) return;
  const url = new URL(address);
  if (url.password !== '') {
    problems.push('KUBEWRIGHT_DATABASE_URL has a password already: unset KUBEWRIGHT_DATABASE_PASSWORD');
    return;
  }
  if (url.username === '') {
    problems.push('KUBEWRIGHT_DATABASE_URL has no user for KUBEWRIGHT_DATABASE_PASSWORD');
    return;
  }
  url.password = encodeURIComponent(password);
  env['KUBEWRIGHT_DATABASE_URL'] = url.href;
}
