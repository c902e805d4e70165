import { execFile } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { KubewrightError } from '../contracts/errors.ts';

const run = promisify(execFile);

/** One thing to show while Debian packages are installed. */
export interface DebianProgress {
  state: 'update' | 'install' | 'done';
  packages: readonly string[];
  elapsedMs: number;
}

/** Package lists older than this are refreshed before an installation: mirrors drop superseded versions. */
const LISTS_MAX_AGE_MS = 24 * 3600_000;
/** Waits for another apt of this machine instead of failing at once. */
const APT = ['-q', '-y', '-o', 'DPkg::Lock::Timeout=300', '-o', 'APT::Lock::Timeout=300'];

/** The given packages that are not installed, in the given order. */
export async function missingDebianPackages(names: readonly string[]): Promise<string[]> {
  if (names.length === 0) return [];
  // dpkg-query exits 1 when any name is unknown and still prints the others.
  const { stdout } = await run('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names]).catch(
    (error: { stdout?: string }) => ({ stdout: error.stdout ?? '' }),
  );
  const installed = new Set(
    stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return names.filter((name) => !installed.has(name));
}

/**
 * Installs what is missing of the given Debian packages on this machine; a no-op when all are there.
 * Needs root. Throws PACKAGE_INSTALL_FAILED with apt's last lines.
 */
export async function ensureDebianPackages(
  names: readonly string[],
  onProgress: (progress: DebianProgress) => void = () => {},
): Promise<void> {
  const missing = await missingDebianPackages(names);
  if (missing.length === 0) return;
  const started = Date.now();
  const report = (state: DebianProgress['state']): void =>
    onProgress({ state, packages: missing, elapsedMs: Date.now() - started });
  const updated = await listsAreStale();
  if (updated) {
    report('update');
    await refreshDebianLists();
  }
  report('install');
  const install = ['install', ...APT, '--no-install-recommends', ...missing];
  await aptGet(install).catch(async (error: unknown) => {
    if (updated) throw error;
    // Fresh-looking lists may still name versions that are gone.
    report('update');
    await refreshDebianLists();
    report('install');
    await aptGet(install);
  });
  report('done');
}

/** `apt-get update`, waiting for another apt to finish. */
export async function refreshDebianLists(): Promise<void> {
  await aptGet(['update', ...APT]);
}

/** Runs apt-get without ever asking. Throws PACKAGE_INSTALL_FAILED with its last lines. */
export async function aptGet(args: readonly string[], cwd?: string): Promise<void> {
  await run('apt-get', [...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_MODE: 'a' },
    maxBuffer: 64 * 1024 * 1024,
    timeout: 900_000,
    ...(cwd === undefined ? {} : { cwd }),
  }).catch((error: Error & { stderr?: string; stdout?: string }) => {
    const lines = `${error.stdout ?? ''}\n${error.stderr ?? ''}`.trim().split('\n').slice(-15).join('\n');
    throw new KubewrightError('PACKAGE_INSTALL_FAILED', `apt-get ${args[0]} failed on this machine`, {
      cause: error,
      evidence: lines,
    });
  });
}

async function listsAreStale(): Promise<boolean> {
  // The files keep the server's times; the folder's own time is when apt last changed it. Images ship it emptied.
  const folder = '/var/lib/apt/lists';
  const names = await readdir(folder).catch(() => []);
  if (!names.some((name) => name.includes('_Packages'))) return true;
  const times = await Promise.all(
    [folder, `${folder}/partial`].map((path) =>
      stat(path).then(
        (s) => s.mtimeMs,
        () => 0,
      ),
    ),
  );
  return Date.now() - Math.max(...times) > LISTS_MAX_AGE_MS;
}
