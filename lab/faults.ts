import { setTimeout as sleep } from 'node:timers/promises';
import { KubewrightError } from '../contracts/errors.ts';
import { killHost, leaderPid, nsenter, startHost, waitForHost } from './host.ts';
import { removePartition } from './network.ts';
import { hostPaths, type LabPaths, type LabRef, labOfRef } from './paths.ts';
import type { ProcessId } from './processes.ts';
import { type Ran, type RunOptions, run, tryRun } from './run.ts';
import { type HostState, readState, writeState } from './state.ts';

export type { LabRef } from './paths.ts';

/**
 * Runs a command inside a host as root, without SSH: works while sshd is stopped or the link is cut. Returns exit code
 * and output whatever the code is. Throws LAB_FAILED when the host is down.
 */
export async function execInHost(
  lab: LabRef,
  host: string,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<Ran> {
  const { state } = await find(lab, host);
  return tryRun(nsenter(await leader(state.keeper, host), argv), options);
}

/** The beginning of a command line that runs a program of this machine in the network of a host. Throws LAB_FAILED when it is down. */
export async function inNetworkOf(lab: LabRef, host: string): Promise<string[]> {
  const { state } = await find(lab, host);
  return ['nsenter', '--target', String(await leader(state.keeper, host)), '--net'];
}

/** Stops sshd for good, with the connections that are open. */
export async function stopSshd(lab: LabRef, host: string): Promise<void> {
  await mustRun(lab, host, ['systemctl', 'stop', 'ssh.service']);
  // Sessions are scopes of their own and live on without their server. Killing nothing is fine.
  await execInHost(lab, host, ['pkill', '-KILL', '-x', 'sshd']);
}

export async function startSshd(lab: LabRef, host: string): Promise<void> {
  await mustRun(lab, host, ['systemctl', 'start', 'ssh.service']);
}

/** Pulls a host's network cable: connections stay open and get no answer. */
export async function cutLink(lab: LabRef, host: string): Promise<void> {
  const { paths, state } = await find(lab, host);
  await run(['ip', 'link', 'set', hostPaths(paths, state.index).veth, 'down']);
}

export async function restoreLink(lab: LabRef, host: string): Promise<void> {
  const { paths, state } = await find(lab, host);
  await run(['ip', 'link', 'set', hostPaths(paths, state.index).veth, 'up']);
}

/**
 * Divides the network: hosts of different groups do not reach each other, connections between them stay open and get no
 * answer. This machine and hosts in no group reach all. A further call replaces the groups; `healPartition` ends it.
 * Throws NOT_FOUND for a host that the lab does not have.
 */
export async function partition(lab: LabRef, groups: readonly (readonly string[])[]): Promise<void> {
  const paths = labOfRef(lab);
  const links = await Promise.all(
    groups.map((group) =>
      Promise.all(group.map(async (host) => hostPaths(paths, (await find(lab, host)).state.index).veth)),
    ),
  );
  const set = (names: readonly string[]) => `{ ${names.map((name) => `"${name}"`).join(', ')} }`;
  const drops = links.flatMap((from) =>
    links.flatMap((to) =>
      from === to || from.length === 0 || to.length === 0 ? [] : [`iifname ${set(from)} oifname ${set(to)} drop`],
    ),
  );
  await setRules(paths, { forward: drops });
}

/**
 * Loses every packet from and to a host, as a broken switch does: unlike with `cutLink` the host itself does not see it.
 * Takes the place of a partition; `healPartition` ends it.
 */
export async function silenceLink(lab: LabRef, host: string): Promise<void> {
  const { paths, state } = await find(lab, host);
  const { veth } = hostPaths(paths, state.index);
  const [incoming, outgoing] = [`iifname "${veth}" drop`, `oifname "${veth}" drop`];
  await setRules(paths, { forward: [incoming, outgoing], input: [incoming], output: [outgoing] });
}

/** Rules of the lab's bridge by hook; they replace those that there are. */
async function setRules(paths: LabPaths, rules: Record<string, readonly string[]>): Promise<void> {
  const table = `bridge ${paths.nftTable}`;
  const chains = Object.entries(rules).map(
    ([hook, lines]) =>
      `chain ${hook} {\n  type filter hook ${hook} priority 0; policy accept;\n  ${lines.join('\n  ')}\n}`,
  );
  // Adding and deleting the table first makes the transaction a replacement, whether it was there or not.
  const input = `add table ${table}\ndelete table ${table}\ntable ${table} {\n${chains.join('\n')}\n}\n`;
  await run(['nft', '-f', '-'], { input });
}

/** Ends a partition, and that a host is silent; safe where there is none. */
export async function healPartition(lab: LabRef): Promise<void> {
  await removePartition(labOfRef(lab));
}

/** Restarts a host as `reboot` does and waits until sshd answers again. */
export async function rebootHost(lab: LabRef, host: string): Promise<void> {
  const { paths, state } = await find(lab, host);
  const before = await leader(state.keeper, host);
  // The command may be killed by what it started.
  await execInHost(lab, host, ['systemctl', 'reboot']);
  const deadline = Date.now() + 120_000;
  for (;;) {
    const now = await leaderPid(state.keeper);
    if (now !== null && now !== before) break;
    if (Date.now() > deadline) throw new KubewrightError('LAB_FAILED', `lab host ${host} does not reboot`, { host });
    await sleep(50);
  }
  await waitForHost(hostPaths(paths, state.index), host, state.address, state.keeper);
}

/** Pulls a host's plug. */
export async function powerOff(lab: LabRef, host: string): Promise<void> {
  const { paths, state } = await find(lab, host);
  await killHost(hostPaths(paths, state.index));
}

/** Starts a host again after `powerOff`, with the disk it had. */
export async function powerOn(lab: LabRef, host: string): Promise<void> {
  const { paths, state } = await find(lab, host);
  const at = hostPaths(paths, state.index);
  const keeper = await startHost(at, host, paths.bridge);
  await waitForHost(at, host, state.address, keeper);
  const all = await readState(paths);
  if (all === null) return;
  all.hosts = all.hosts.map((each) => (each.name === host ? { ...each, keeper } : each));
  await writeState(paths, all);
}

/**
 * Leaves a folder of a host with so much free space, in bytes, by mounting a small file system there. What was in the
 * folder is hidden until `restoreDisk`.
 */
export async function fillDisk(lab: LabRef, host: string, folder: string, freeBytes = 65_536): Promise<void> {
  await mustRun(lab, host, ['mkdir', '-p', folder]);
  await mustRun(lab, host, ['mount', '-t', 'tmpfs', '-o', `size=${freeBytes}`, 'kubewright-full', folder]);
}

export async function restoreDisk(lab: LabRef, host: string, folder: string): Promise<void> {
  await mustRun(lab, host, ['umount', folder]);
}

async function mustRun(lab: LabRef, host: string, argv: readonly string[]): Promise<void> {
  const { code, stderr } = await execInHost(lab, host, argv);
  if (code !== 0)
    throw new KubewrightError('LAB_FAILED', `${argv.join(' ')} failed on lab host ${host}`, { host, evidence: stderr });
}

async function find(lab: LabRef, host: string): Promise<{ paths: LabPaths; state: HostState }> {
  const paths = labOfRef(lab);
  const state = (await readState(paths))?.hosts.find(({ name }) => name === host);
  if (state === undefined) throw new KubewrightError('NOT_FOUND', `lab ${lab.name} has no host called ${host}`);
  return { paths, state };
}

async function leader(keeper: ProcessId, host: string): Promise<number> {
  const pid = await leaderPid(keeper);
  if (pid === null) throw new KubewrightError('LAB_FAILED', `lab host ${host} is down`, { host });
  return pid;
}
