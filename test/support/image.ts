import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { ensureBase, removeTree } from '../../lab/base.ts';
import { withLock } from '../../lab/lock.ts';
import { defaultCacheDir } from '../../lab/paths.ts';
import { run, tryRun } from '../../lab/run.ts';
import { copiedFiles, type Instruction, parseDockerfile, type Stage, workdirs } from './dockerfile.ts';

const ROOT = join(import.meta.dirname, '../..');
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The image as a folder, made by following the Dockerfile. What is the image's own is real: every COPY under
 * .dockerignore, every RUN as written, users, modes, `npm ci --omit=dev`. What stands in: the base image is the lab's
 * Debian (the same release) with the pinned Node; the first stage's RUN, which needs this machine's way to the package
 * registry, runs in a folder on this machine and not in a root of its own.
 */
export interface AssembledImage {
  /** Its root. Read-only for programs started by `start`. */
  root: string;
  env: Record<string, string>;
  workdir: string;
  /** As USER names it. */
  user: string;
  cmd: string[];
  remove(): Promise<void>;
}

/** Assembles the image below `folder`. A minute the first time, seconds when the production packages are cached. */
export async function assembleImage(folder: string, onProgress: (line: string) => void): Promise<AssembledImage> {
  const [modules, final] = parseDockerfile(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'));
  if (!modules || !final) throw new Error('the Dockerfile has two stages');
  const base = await ensureBase(defaultCacheDir(), onProgress);
  const packages = await ensureStage(modules, onProgress);
  const root = join(folder, 'root');
  const [upper, work, layer] = [join(folder, 'upper'), join(folder, 'work'), join(folder, 'layer')];
  for (const each of [root, upper, work, layer]) await mkdir(each, { recursive: true });
  await linkStages(final, { [modules.name ?? '']: packages }, layer);
  const lower = `${layer}:${base}`;
  await run(['mount', '-t', 'overlay', 'overlay', '-o', `lowerdir=${lower},upperdir=${upper},workdir=${work}`, root]);
  const remove = () => removeTree(folder);
  try {
    await mkdir(join(root, 'usr/local/bin'), { recursive: true });
    await copyFile(join(ROOT, 'node_modules/node/bin/node'), join(root, 'usr/local/bin/node'));
    const image: AssembledImage = { root, env: { PATH }, workdir: '/', user: 'root', cmd: [], remove };
    for (const step of final.steps) await follow(image, step, onProgress);
    return image;
  } catch (error) {
    await remove();
    throw error;
  }
}

/** COPY --from, into a layer of its own below the others: links to what the cache has, 200 MB need not be written. */
async function linkStages(stage: Stage, from: Record<string, string>, layer: string): Promise<void> {
  const at = workdirs(stage);
  for (const [index, { name, text, flags }] of stage.steps.entries()) {
    if (name !== 'COPY' || flags['from'] === undefined) continue;
    const [source = '', target = ''] = text.split(/\s+/);
    const origin = join(from[flags['from']] ?? '', source);
    const into = join(layer, posix.resolve(at[index]!, target));
    await mkdir(dirname(into), { recursive: true });
    // Links end at the file system.
    const linked = await tryRun(['cp', '-al', origin, into], { timeoutMs: 300_000 });
    if (linked.code !== 0) await run(['cp', '-a', origin, dirname(into)], { timeoutMs: 600_000 });
  }
}

async function follow(image: AssembledImage, step: Instruction, onProgress: (line: string) => void): Promise<void> {
  const { name, text } = step;
  if (name === 'COPY' && step.flags['from'] === undefined) {
    for (const { from, to } of copiedFiles(ROOT, step, image.workdir)) {
      await mkdir(dirname(join(image.root, to)), { recursive: true });
      // Mode and nothing else: Docker makes copies root's.
      await copyFile(join(ROOT, from), join(image.root, to));
    }
  } else if (name === 'RUN') {
    onProgress(`image: RUN ${text.slice(0, 60)}`);
    await run(inImage(image, ['/bin/sh', '-c', text], { user: 'root', readOnly: false }), {
      env: image.env,
      timeoutMs: 300_000,
    });
  } else if (name === 'ENV') {
    for (const [, key, value] of text.matchAll(/(\w+)=(\S+)/g)) image.env[key!] = value!;
  } else if (name === 'WORKDIR') {
    image.workdir = posix.resolve(image.workdir, text);
    await mkdir(join(image.root, image.workdir), { recursive: true });
  } else if (name === 'USER') {
    image.user = text;
  } else if (name === 'CMD') {
    image.cmd = JSON.parse(text) as string[];
  }
}

/** The first stage in a folder, kept in the cache by what goes into it: `npm ci` takes half a minute. */
async function ensureStage(stage: Stage, onProgress: (line: string) => void): Promise<string> {
  const at = workdirs(stage);
  const files = stage.steps.flatMap((step, index) => (step.name === 'COPY' ? copiedFiles(ROOT, step, at[index]!) : []));
  const hash = createHash('sha256').update(JSON.stringify(stage)).update(process.version);
  for (const { from } of files) hash.update(readFileSync(join(ROOT, from)));
  const home = join(defaultCacheDir(), 'image', `modules-${hash.digest('hex').slice(0, 12)}`);
  if (existsSync(home)) return home;
  await withLock(`${home}.lock`, 15 * 60_000, async () => {
    if (existsSync(home)) return;
    const draft = `${home}.tmp`;
    await rm(draft, { recursive: true, force: true });
    for (const { from, to } of files) {
      await mkdir(dirname(join(draft, to)), { recursive: true });
      await copyFile(join(ROOT, from), join(draft, to));
    }
    for (const [index, step] of stage.steps.entries()) {
      if (step.name !== 'RUN') continue;
      onProgress('image: production packages (once per lock file)');
      const path = `${join(ROOT, 'node_modules/node/bin')}:${process.env['PATH'] ?? ''}`;
      await run(['/bin/sh', '-c', step.text], {
        cwd: join(draft, at[index]!),
        env: { ...process.env, PATH: path, NODE_ENV: '' },
        timeoutMs: 900_000,
      });
    }
    await rename(draft, home);
  });
  return home;
}

interface Mounts {
  user: string;
  readOnly: boolean;
  /** Folder in the image to folder of this machine: volumes. */
  volumes?: Record<string, string>;
}

/**
 * The command line that runs `argv` in the image: a mount namespace of its own whose root is the image, read-only, with
 * /tmp in memory; another user, no capability, no way to win one. No other namespaces: it shares network and processes
 * with this machine, so that it reaches hosts and servers of tests by their addresses.
 */
function inImage(image: AssembledImage, argv: readonly string[], { user, readOnly, volumes = {} }: Mounts): string[] {
  const { root, workdir } = image;
  // $1 is the root, $2 the folder to start in; then volumes up to --, then the command.
  const script = [
    'set -e',
    'root=$1; workdir=$2; shift 2',
    'mount --bind "$root" "$root"',
    ...(readOnly ? ['mount -o remount,bind,ro "$root"', 'mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"'] : []),
    'mount -t proc proc "$root/proc"',
    'mount --rbind /dev "$root/dev"',
    'while [ "$1" != -- ]; do mount --bind "$2" "$root$1"; shift 2; done; shift',
    // chroot and then the folder, with the shell of the image: it keeps the pid.
    'exec chroot "$root" /bin/sh -c \'cd "$0"; exec "$@"\' "$workdir" "$@"',
  ].join('\n');
  const drop = [
    'setpriv',
    `--reuid=${user}`,
    `--regid=${user}`,
    '--clear-groups',
    '--bounding-set=-all',
    '--inh-caps=-all',
    '--no-new-privs',
    '--',
  ];
  const mounts = Object.entries(volumes).flat();
  return [
    ...['unshare', '--mount', '--propagation', 'private', '--', '/bin/sh', '-c', script, 'sh', root, workdir],
    ...mounts,
    '--',
    ...(user === 'root' ? argv : [...drop, ...argv]),
  ];
}

/** A program of the image that runs: its own process, by the pid of `child`. */
export function startInImage(
  image: AssembledImage,
  argv: readonly string[],
  options: { env: Record<string, string>; volumes?: Record<string, string>; stdio: [number, number] },
): ChildProcess {
  const [command, ...args] = inImage(image, argv, {
    user: image.user,
    readOnly: true,
    ...(options.volumes ? { volumes: options.volumes } : {}),
  });
  const [out, err] = options.stdio;
  return spawn(command!, args, { env: { ...image.env, ...options.env }, cwd: '/', stdio: ['ignore', out, err] });
}

/** Runs a program of the image to its end. Throws with the end of its output. */
export async function runInImage(
  image: AssembledImage,
  argv: readonly string[],
  options: { env?: Record<string, string>; volumes?: Record<string, string> } = {},
): Promise<string> {
  const { env = {}, volumes = {} } = options;
  return (
    await run(inImage(image, argv, { user: image.user, readOnly: true, volumes }), {
      env: { ...image.env, ...env },
      timeoutMs: 120_000,
    })
  ).stdout;
}
