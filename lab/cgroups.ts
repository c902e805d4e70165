import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubewrightError } from '../contracts/errors.ts';
import { mounts } from './mounts.ts';
import { signalQuietly } from './processes.ts';

/** What the kubelet needs; a v2 machine must hand these down to the cgroups of the hosts. */
const CONTROLLERS = ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids'];

/** A mounted cgroup hierarchy of this machine. */
export interface Hierarchy {
  path: string;
  version: 1 | 2;
}

/** All cgroup hierarchies: one on v2, one per v1 controller and perhaps a v2 one beside them otherwise. */
export async function hierarchies(): Promise<Hierarchy[]> {
  const all = (await mounts()).filter((mount) => mount.type === 'cgroup' || mount.type === 'cgroup2');
  const paths = new Map(all.map((mount) => [mount.path, mount.type === 'cgroup2' ? (2 as const) : (1 as const)]));
  return [...paths].map(([path, version]) => ({ path, version })).sort((a, b) => a.path.localeCompare(b.path));
}

/** True when containers get their limits from cgroup v2, which is so when no v1 hierarchy holds the memory controller. */
export async function isCgroupV2(): Promise<boolean> {
  return !(await mounts()).some((mount) => mount.type === 'cgroup' && mount.options.includes('memory'));
}

/**
 * Makes one cgroup of the given name in every hierarchy and returns their paths. A host that boots in them sees them as
 * the roots of its own hierarchies (cgroup namespace), so that hosts cannot see each other's units and containers.
 */
export async function makeCgroups(name: string): Promise<string[]> {
  const paths: string[] = [];
  for (const { path, version } of await hierarchies()) {
    if (version === 2) await handDownControllers(path);
    const own = join(path, name);
    await mkdir(own, { recursive: true });
    // A new v1 cpuset is empty, and no process may enter an empty one.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const parent = version === 1 ? await readFile(join(path, file), 'utf8').catch(() => null) : null;
      if (parent !== null) await writeFile(join(own, file), parent);
    }
    paths.push(own);
  }
  return paths;
}

/** Kills every process in the cgroups of the given name and removes them, whatever a host made below. */
export async function removeCgroups(name: string): Promise<void> {
  const roots = (await hierarchies()).map(({ path }) => join(path, name));
  // A dying process leaves its cgroup only when its parent has reaped it.
  const deadline = Date.now() + 10_000;
  for (;;) {
    let left = 0;
    for (const root of roots) left += await emptyAndRemove(root);
    if (left === 0) return;
    if (Date.now() > deadline) throw new KubewrightError('LAB_FAILED', `${left} cgroups called ${name} do not go away`);
    await sleep(20);
  }
}

/** The pids of all processes in the cgroups of the given name. */
export async function cgroupPids(name: string): Promise<number[]> {
  const pids = new Set<number>();
  for (const { path } of await hierarchies()) {
    for (const folder of await tree(join(path, name))) for (const pid of await pidsIn(folder)) pids.add(pid);
  }
  return [...pids];
}

/** Names of existing cgroups that start so, in any hierarchy. */
export async function cgroupsNamed(prefix: string): Promise<string[]> {
  const names = new Set<string>();
  for (const { path } of await hierarchies()) {
    for (const name of await readdir(path)) if (name.startsWith(prefix)) names.add(name);
  }
  return [...names].sort();
}

async function emptyAndRemove(root: string): Promise<number> {
  let left = 0;
  for (const folder of await tree(root)) {
    for (const pid of await pidsIn(folder)) if (pid > 1) signalQuietly(pid, 'SIGKILL');
    await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') left += 1;
    });
  }
  return left;
}

/** The folder and all folders below, deepest first; empty when there is none. */
async function tree(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => null);
  if (entries === null) return [];
  const below = await Promise.all(entries.filter((one) => one.isDirectory()).map((one) => tree(join(root, one.name))));
  return [...below.flat(), root];
}

async function pidsIn(folder: string): Promise<number[]> {
  const text = await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '');
  return text.split('\n').filter(Boolean).map(Number);
}

async function handDownControllers(root: string): Promise<void> {
  const file = join(root, 'cgroup.subtree_control');
  const [available, given] = await Promise.all(
    [join(root, 'cgroup.controllers'), file].map(async (path) => (await readFile(path, 'utf8')).split(/\s+/)),
  );
  for (const controller of CONTROLLERS) {
    if (!available?.includes(controller) || given?.includes(controller)) continue;
    await writeFile(file, `+${controller}`).catch((error: unknown) => {
      throw new KubewrightError('LAB_FAILED', `cgroup controller ${controller} cannot be handed down from ${root}`, {
        cause: error,
      });
    });
  }
}
