import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubewrightError } from '../contracts/errors.ts';
import { removeTree } from './base.ts';
import { cgroupPids, removeCgroups } from './cgroups.ts';
import { type HostIdentity, writeIdentity } from './host-files.ts';
import { keeperArgv } from './host-keeper.ts';
import { mountHost } from './mounts.ts';
import { removeLink } from './network.ts';
import type { HostPaths } from './paths.ts';
import { childrenOf, isAlive, type ProcessId, processId, signalQuietly } from './processes.ts';
import { run, tail, tryRun } from './run.ts';
import { spawnInCgroups } from './spawn.ts';

/** Boot takes half a second on a quiet machine; this is for busy ones. */
const BOOT_TIMEOUT_MS = 120_000;
const TIDY_UP_MS = 2_000;

/**
 * Lets a host do what a machine can: mount, load modules, use keyrings and bpf (systemd-nspawn's default filter takes
 * those away even with all capabilities).
 */
const SYSTEM_CALLS = '@keyring bpf @mount @module perf_event_open';

/** Makes a host's root from the base and gives it an identity; returns its public host key. It does not run yet. */
export async function createHost(base: string, at: HostPaths, identity: HostIdentity): Promise<string> {
  await removeHost(at);
  for (const folder of [at.root, at.upper, at.work, at.data]) await mkdir(folder, { recursive: true });
  await run(['cp', '--archive', '--reflink=auto', `${join(base, 'var')}/.`, at.data]);
  await mountHost(base, at);
  return writeIdentity(at.root, identity);
}

/** Boots a created host in cgroups of its own, detached from this process; returns its keeper. */
export async function startHost(at: HostPaths, name: string, bridge: string): Promise<ProcessId> {
  const nspawn = [
    'systemd-nspawn',
    '--quiet',
    '--boot',
    '--register=no',
    '--keep-unit',
    '--console=pipe',
    `--directory=${at.root}`,
    `--machine=${at.machine}`,
    `--hostname=${name}`,
    `--network-bridge=${bridge}`,
    '--capability=all',
    `--system-call-filter=${SYSTEM_CALLS}`,
    '--resolv-conf=off',
    '--timezone=off',
    '--link-journal=no',
    ...(existsSync('/lib/modules') ? ['--bind-ro=/lib/modules'] : []),
  ];
  const id = await spawnInCgroups(at.keeper, await keeperArgv(at.cgroup, at.veth, nspawn), at.log);
  if (id === null) throw await bootFailure(at, name);
  return id;
}

/**
 * Waits until sshd greets and systemd has started everything. Throws LAB_FAILED with the boot log when the host ends or
 * takes too long.
 */
export async function waitForHost(at: HostPaths, name: string, address: string, keeper: ProcessId): Promise<void> {
  const deadline = Date.now() + BOOT_TIMEOUT_MS;
  while (!(await sshGreets(address))) {
    if (!(await isAlive(keeper)) || Date.now() > deadline) throw await bootFailure(at, name);
    await sleep(50);
  }
  const leader = await leaderPid(keeper);
  // sshd comes before the last units; a host counts as up when nothing starts any more ("degraded" is fine, too).
  if (leader !== null)
    await tryRun(nsenter(leader, ['timeout', '30', 'systemctl', 'is-system-running', '--wait', '--quiet']));
}

/** The host's init process as seen from this machine, or null while it is down. */
export async function leaderPid(keeper: ProcessId): Promise<number | null> {
  if (!(await isAlive(keeper))) return null;
  for (const child of await childrenOf(keeper.pid)) {
    const command = await readFile(`/proc/${child}/comm`, 'utf8').catch(() => '');
    if (!command.startsWith('systemd-nspawn')) continue;
    const [leader] = await childrenOf(child);
    return leader ?? null;
  }
  return null;
}

/** Ends a host at once, like pulling the plug, and removes its cgroups and veth. Its files stay. */
export async function killHost(at: HostPaths): Promise<void> {
  const lock = await stat(at.root).then(
    ({ dev, ino }) => `inode-${dev}:${ino}`,
    () => null,
  );
  // First, or it would start a host that is just rebooting.
  await removeCgroups(at.keeper);
  // systemd-nspawn tidies up after itself when only what it runs is killed.
  const pids = await cgroupPids(at.cgroup);
  const supervisors: number[] = [];
  for (const pid of pids) {
    const command = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
    if (command.startsWith('systemd-nspawn')) supervisors.push(pid);
    else if (pid > 1) signalQuietly(pid, 'SIGKILL');
  }
  const deadline = Date.now() + TIDY_UP_MS;
  while (Date.now() < deadline && (await Promise.all(supervisors.map(processId))).some(Boolean)) await sleep(20);
  await removeCgroups(at.cgroup);
  await removeLink(at.veth);
  for (const path of [`propagate/${at.machine}`, `unix-export/${at.machine}`])
    await rmdir(join('/run/systemd/nspawn', path)).catch(() => {});
  if (lock !== null) await rm(join('/run/systemd/nspawn/locks', lock), { force: true });
}

/** Ends a host and removes everything of it, in whatever state a killed `up` left it. */
export async function removeHost(at: HostPaths): Promise<void> {
  await killHost(at);
  await removeTree(at.dir);
}

/** True when an SSH server answers at the address within a second. */
export function sshGreets(address: string, timeoutMs = 1_000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: 22 });
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => finish(false));
    socket.once('error', () => finish(false));
    socket.once('data', (data) => finish(data.toString('latin1').startsWith('SSH-')));
  });
}

/** Runs a command inside a host with all its namespaces, without SSH. */
export function nsenter(leader: number, argv: readonly string[]): string[] {
  return ['nsenter', '--target', String(leader), '--all', ...argv];
}

async function bootFailure(at: HostPaths, name: string): Promise<KubewrightError> {
  const log = await readFile(at.log, 'utf8').catch(() => '');
  const journal = await tryRun([
    'journalctl',
    '--no-pager',
    '--lines=20',
    `--directory=${join(at.data, 'log/journal')}`,
  ]).catch(() => null);
  return new KubewrightError('LAB_FAILED', `lab host ${name} does not boot`, {
    host: name,
    evidence: tail(`${journal?.stdout ?? ''}\n${log}`),
  });
}
