import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KubewrightError } from '../contracts/errors.ts';
import { type BaseRecipe, baseRecipe, recipeDigest, SUITE } from './base-recipe.ts';
import { withLock } from './lock.ts';
import { aptAccess } from './machine.ts';
import { unmountBelow } from './mounts.ts';
import { becomeRpmHost } from './rpm/host.ts';
import { run } from './run.ts';
import { DEFAULT_SYSTEM } from './systems.ts';
import type { Progress } from './types.ts';

/** Longest wait for another `up` of this machine that makes the same image. */
const BUILD_WAIT_MS = 15 * 60_000;
const KEEP_UNUSED_MS = 24 * 3600_000;
/** Debian has a group called operator: no group per user then. */
const USERADD = ['useradd', '--create-home', '--shell', '/bin/bash', '--no-user-group', '--gid', 'users'];

/**
 * The folder of the base image that all hosts share, made if it is not there: built aside and renamed, so that a folder
 * with the final name is complete. About 20 s. Throws LAB_FAILED with the last lines of the failed step.
 */
export async function ensureBase(cacheDir: string, onProgress: Progress, os: string = DEFAULT_SYSTEM): Promise<string> {
  const folder = join(cacheDir, 'lab');
  const recipe = baseRecipe(await aptAccess(SUITE), Date.now(), os);
  const base = join(folder, `base-${recipeDigest(recipe)}`);
  if (existsSync(base)) return base;
  await withLock(`${base}.lock`, BUILD_WAIT_MS, async () => {
    if (existsSync(base)) return;
    const draft = `${base}.tmp`;
    await removeTree(draft);
    const started = Date.now();
    onProgress(`base image: ${os} (once per recipe)`);
    await bootstrap(recipe, draft, onProgress);
    await furnish(recipe, draft);
    if (recipe.rpm) {
      onProgress(`base image: RPMs of ${os}`);
      await becomeRpmHost(draft, recipe.rpm.system);
    }
    await rename(draft, base);
    onProgress(`base image: ready after ${((Date.now() - started) / 1000).toFixed(1)} s`);
    await dropUnused(folder, base, join(cacheDir, 'labs'));
  });
  return base;
}

async function bootstrap(recipe: BaseRecipe, root: string, onProgress: Progress): Promise<void> {
  const aptOptions = recipe.apt.conf.split('\n').filter(Boolean);
  const argv = [
    // A killed `up` must not leave a half-finished bootstrap running: its whole PID namespace dies with us.
    'setpriv',
    '--pdeathsig',
    'KILL',
    'unshare',
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
    'mmdebstrap',
    '--variant=minbase',
    `--include=${recipe.packages.join(',')}`,
    // The lists stay: each host is spared its first `apt-get update`.
    '--skip=cleanup/apt/lists',
    ...recipe.dpkg.map((option) => `--dpkgopt=${option}`),
    ...[...aptOptions, 'Acquire::Languages "none";'].map((option) => `--aptopt=${option}`),
    recipe.suite,
    root,
    ...recipe.apt.sources,
  ];
  await run(argv, {
    timeoutMs: 15 * 60_000,
    onStderrLine: (line) => onProgress(`base image: ${line.replace(/^I: /, '')}`),
  });
}

/** Puts into a fresh root what makes it a lab's base. */
async function furnish(recipe: BaseRecipe, root: string): Promise<void> {
  for (const [path, { content, mode }] of Object.entries(recipe.files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content, { mode: mode ?? 0o644 });
  }
  for (const [name, content] of Object.entries(recipe.apt.certificates)) {
    await mkdir(join(root, 'usr/local/share/ca-certificates'), { recursive: true });
    await writeFile(join(root, 'usr/local/share/ca-certificates', name), content);
  }
  for (const unit of recipe.masked) {
    await rm(join(root, 'etc/systemd/system', unit), { force: true });
    await symlink('/dev/null', join(root, 'etc/systemd/system', unit));
  }
  for (const user of recipe.users) await inRoot(root, [...USERADD, user]);
  await inRoot(root, ['systemctl', 'enable', ...recipe.enabled]);
  if (Object.keys(recipe.apt.certificates).length > 0) await inRoot(root, ['update-ca-certificates']);
  // Every host gets its own (see host-files.ts).
  for (const name of await readdir(join(root, 'etc/ssh')))
    if (name.startsWith('ssh_host_')) await rm(join(root, 'etc/ssh', name));
  await writeFile(join(root, 'etc/machine-id'), '');
  // Ready-made package caches save every apt run in every host a second.
  await inRoot(root, ['apt-cache', 'gencaches']);
}

async function inRoot(root: string, argv: string[]): Promise<void> {
  await run(['chroot', root, ...argv], {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', SYSTEMD_OFFLINE: '1' },
  });
}

/** Removes images of old recipes that no lab stands on. */
async function dropUnused(folder: string, keep: string, labsDir: string): Promise<void> {
  const states = (await readdir(labsDir).catch(() => [])).map((lab) =>
    readFile(join(labsDir, lab, 'lab.json'), 'utf8').catch(() => ''),
  );
  const used = (await Promise.all(states)).join('\n');
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (!/^base-[0-9a-f]{12}$/.test(name) || path === keep || used.includes(path)) continue;
    if (Date.now() - (await stat(path)).mtimeMs > KEEP_UNUSED_MS) await removeTree(path);
  }
}

/** Removes a folder that may have been left with mounts inside: never through them. */
export async function removeTree(folder: string): Promise<void> {
  await unmountBelow(folder);
  await rm(folder, { recursive: true, force: true });
}

/** Removes what killed runs left of images; one that is being made right now stays. */
export async function clearHalfBuiltBases(cacheDir: string): Promise<void> {
  const folder = join(cacheDir, 'lab');
  for (const name of await readdir(folder).catch(() => [])) {
    if (!/^base-[0-9a-f]{12}\.tmp$/.test(name)) continue;
    const lock = join(folder, name.replace('.tmp', '.lock'));
    await withLock(lock, 0, () => removeTree(join(folder, name))).catch((error: unknown) => {
      if (!KubewrightError.is(error) || error.code !== 'CONFLICT') throw error;
    });
  }
}
