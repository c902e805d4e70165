import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import pLimit from 'p-limit';
import { KubewrightError } from '../contracts/errors.ts';
import { removeTree } from './base.ts';
import { killHost, startHost, waitForHost } from './host.ts';
import { withLock } from './lock.ts';
import { mountHost, mounts, unmountBelow } from './mounts.ts';
import { type HostPaths, hostPaths, type LabPaths, type LabRef, labOfRef } from './paths.ts';
import { run } from './run.ts';
import { type HostState, type LabState, readState, writeState } from './state.ts';

/**
 * Saved states of a lab: the disks of all its hosts at one moment, kept beside them until the lab is taken down. Taking
 * hosts back costs a copy and a boot instead of a new build.
 */

/** As a folder's name. */
const LABEL = /^[a-z0-9][a-z0-9-]{0,31}$/;
/** Longest wait for another command on the same lab. */
const LOCK_WAIT_MS = 60_000;
/** Hosts copied at once: each copy keeps a core and the disk busy. */
const COPIES_AT_ONCE = 2;

/**
 * Saves the disks of all hosts under a label, which may exist already, and starts the hosts again. They lose power for
 * it: what is only in memory is not part of a saved state. Throws BAD_REQUEST (label), NOT_FOUND (no such lab),
 * LAB_FAILED.
 */
export async function saveLab(ref: LabRef, label: string): Promise<void> {
  const { lab, folder } = placeOf(ref, label);
  await withLock(lab.lockFile, LOCK_WAIT_MS, async () => {
    const state = await stateOf(lab);
    await powerOffAll(lab, state);
    try {
      await copyDisks(lab, state, folder);
    } finally {
      await startAll(lab, state);
    }
  });
}

async function copyDisks(lab: LabPaths, state: LabState, folder: string): Promise<void> {
  const draft = `${folder}.new`;
  await rm(draft, { recursive: true, force: true });
  await forEachHost(lab, state, async (at, host) => {
    await refuseMountsBelow(at.data);
    const to = diskOf(draft, host);
    await mkdir(to.upper, { recursive: true });
    await mkdir(to.data);
    await copyContent(at.upper, to.upper);
    await copyContent(at.data, to.data);
  });
  await writeFile(join(draft, 'hosts.json'), JSON.stringify(identitiesOf(state)));
  // Complete once it has its name.
  await rm(folder, { recursive: true, force: true });
  await rename(draft, folder);
}

/**
 * Takes all hosts back to a saved state and starts them; what happened to their disks since then is lost. Cut links and
 * stopped hosts are whole again. Resolves when sshd of every host answers; what runs on them comes back as after a
 * power failure. Throws BAD_REQUEST (label), NOT_FOUND (no such lab or state), CONFLICT (the lab has other hosts now),
 * LAB_FAILED.
 */
export async function restoreLab(ref: LabRef, label: string): Promise<void> {
  const { lab, folder } = placeOf(ref, label);
  await withLock(lab.lockFile, LOCK_WAIT_MS, async () => {
    const state = await stateOf(lab);
    const saved = await readFile(join(folder, 'hosts.json'), 'utf8').catch(() => null);
    if (saved === null) throw new KubewrightError('NOT_FOUND', `lab ${lab.name} has no saved state called ${label}`);
    if (saved !== JSON.stringify(identitiesOf(state)))
      throw new KubewrightError('CONFLICT', `lab ${lab.name} has other hosts than its saved state ${label}`);
    await powerOffAll(lab, state);
    const discarded: string[] = [];
    await forEachHost(lab, state, async (at, host) => {
      await unmountBelow(at.root);
      await refuseMountsBelow(at.dir);
      // Fresh folders: the kernel may still hold the old ones for a mount that is in use.
      const rubble = join(at.dir, `discarded-${Date.now()}`);
      await mkdir(rubble);
      discarded.push(rubble);
      for (const path of [at.upper, at.work, at.data]) {
        await rename(path, join(rubble, basename(path)));
        await mkdir(path);
      }
      const from = diskOf(folder, host);
      await copyContent(from.upper, at.upper);
      await copyContent(from.data, at.data);
      await mountHost(state.base, at);
    });
    await startAll(lab, state);
    for (const path of discarded) await removeTree(path);
  });
}

/** Labels of a lab's saved states. */
export async function savedStates(ref: LabRef): Promise<string[]> {
  const entries = await readdir(join(labOfRef(ref).stateDir, 'saved')).catch(() => []);
  return entries.filter((name) => LABEL.test(name)).sort();
}

function placeOf(ref: LabRef, label: string): { lab: LabPaths; folder: string } {
  if (!LABEL.test(label))
    throw new KubewrightError('BAD_REQUEST', `label "${label}": give 1 to 32 characters of a-z, 0-9 and "-"`);
  const lab = labOfRef(ref);
  return { lab, folder: join(lab.stateDir, 'saved', label) };
}

async function stateOf(lab: LabPaths): Promise<LabState> {
  const state = await readState(lab);
  if (state === null || state.hosts.length === 0)
    throw new KubewrightError('NOT_FOUND', `there is no lab called ${lab.name}`);
  return state;
}

/** Checks whether the disks of a saved state belong to these hosts: another lab of the name has other keys. */
const identitiesOf = ({ base, hosts }: LabState) => ({
  base,
  hosts: hosts.map(({ index, name, address, hostKey }) => ({ index, name, address, hostKey })),
});

const diskOf = (folder: string, { index }: HostState) => ({
  upper: join(folder, `h${index + 1}`, 'upper'),
  data: join(folder, `h${index + 1}`, 'var'),
});

async function forEachHost(
  lab: LabPaths,
  state: LabState,
  work: (at: HostPaths, host: HostState) => Promise<void>,
): Promise<void> {
  const atOnce = pLimit(COPIES_AT_ONCE);
  const done = state.hosts.map((host) => atOnce(() => work(hostPaths(lab, host.index), host)));
  for (const result of await Promise.allSettled(done)) if (result.status === 'rejected') throw result.reason;
}

/** All at the same moment, as far as this machine can: members of one etcd see each other go. */
async function powerOffAll(lab: LabPaths, state: LabState): Promise<void> {
  await Promise.all(state.hosts.map(({ index }) => killHost(hostPaths(lab, index))));
}

async function startAll(lab: LabPaths, state: LabState): Promise<void> {
  state.hosts = await Promise.all(
    state.hosts.map(async (host) => {
      const at = hostPaths(lab, host.index);
      const keeper = await startHost(at, host.name, lab.bridge);
      await waitForHost(at, host.name, host.address, keeper);
      return { ...host, keeper };
    }),
  );
  await writeState(lab, state);
}

/** A copy must neither follow a mount nor be made under one. */
async function refuseMountsBelow(folder: string): Promise<void> {
  const below = (await mounts()).filter(({ path }) => path === folder || path.startsWith(`${folder}/`));
  if (below.length === 0) return;
  const paths = below.map(({ path }) => path).join('\n');
  throw new KubewrightError('LAB_FAILED', `${folder} still has mounts`, { evidence: paths });
}

/**
 * Everything of one folder into another that is empty: owners, times, device files (an overlay marks removed files with
 * them), extended attributes (and replaced folders with those), hard links and holes.
 */
async function copyContent(from: string, to: string): Promise<void> {
  await run(['cp', '--archive', '--one-file-system', '--reflink=auto', '--sparse=auto', `${from}/.`, to], {
    timeoutMs: 300_000,
  });
}
