import { readdir } from 'node:fs/promises';
import pLimit from 'p-limit';
import { cgroupsNamed } from './cgroups.ts';
import { createHost, removeHost, sshGreets, startHost, waitForHost } from './host.ts';
import type { LabAccess } from './lab-secrets.ts';
import { hostPaths, type LabPaths, MAX_HOSTS } from './paths.ts';
import { isAlive } from './processes.ts';
import type { HostState, LabState } from './state.ts';
import { writeState } from './state.ts';
import { gatewayAddress, hostAddress } from './subnet.ts';
import type { Progress } from './types.ts';

/** Hosts made at once: on two cores more only wait for each other. */
const AT_ONCE = 4;

/** What all hosts of a lab have in common. */
export interface HostSetting {
  base: string;
  mtu: number;
  resolvConf: string;
  access: LabAccess;
}

/** True while a recorded host runs and its sshd answers. */
export async function hostStands(host: HostState): Promise<boolean> {
  return (await isAlive(host.keeper)) && (await sshGreets(host.address));
}

/**
 * Makes and boots those of the named hosts that are missing, and keeps those that stand. Each is recorded in `state` (and
 * on disk) as soon as it runs. Hosts that were recorded but do not run, and half-made ones, are made anew.
 */
export async function ensureHosts(
  lab: LabPaths,
  state: LabState,
  names: readonly string[],
  setting: HostSetting,
  onProgress: Progress,
): Promise<void> {
  const standing = await Promise.all(state.hosts.map(hostStands));
  state.hosts = state.hosts.filter((_, position) => standing[position]);
  await writeState(lab, state);
  const kept = new Set(state.hosts.map(({ index }) => index));
  for (const index of await traces(lab)) if (!kept.has(index)) await removeHost(hostPaths(lab, index));

  const atOnce = pLimit(AT_ONCE);
  const recording = pLimit(1);
  const present = new Set(state.hosts.map(({ name }) => name));
  const free = Array.from({ length: MAX_HOSTS }, (_, index) => index).filter((index) => !kept.has(index));
  const missing = names.filter((name) => !present.has(name)).map((name, at) => ({ name, index: free[at]! }));
  const results = await Promise.allSettled(
    missing.map((wanted) =>
      atOnce(async () => {
        const host = await makeHost(lab, state, wanted, setting, onProgress);
        await recording(async () => {
          state.hosts = [...state.hosts, host].sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
          await writeState(lab, state);
        });
      }),
    ),
  );
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function makeHost(
  lab: LabPaths,
  state: LabState,
  { name, index }: Pick<HostState, 'name' | 'index'>,
  setting: HostSetting,
  onProgress: Progress,
): Promise<HostState> {
  const started = Date.now();
  const at = hostPaths(lab, index);
  const address = hostAddress(state.subnet, index);
  const { base, mtu, resolvConf, access } = setting;
  const hostKey = await createHost(base, at, {
    name,
    address,
    gateway: gatewayAddress(state.subnet),
    mtu,
    resolvConf,
    ...access,
  });
  const keeper = await startHost(at, name, lab.bridge);
  await waitForHost(at, name, address, keeper);
  onProgress(`host ${name}: up at ${address} after ${((Date.now() - started) / 1000).toFixed(1)} s`);
  return { index, name, address, hostKey, keeper };
}

/** Numbers of all hosts of a lab that left anything on this machine: folders, mounts below them, cgroups. */
export async function traces(lab: LabPaths): Promise<number[]> {
  const folders = await readdir(lab.hostsDir).catch(() => []);
  const prefix = `kwlab-${lab.name}-`;
  const cgroups = (await cgroupsNamed(prefix)).map((name) => name.slice(prefix.length));
  const indexes = [...folders, ...cgroups]
    .map((name) => /^h(\d+)(-keeper)?$/.exec(name)?.[1])
    .filter((one) => one !== undefined);
  return [...new Set(indexes.map((number) => Number(number) - 1))].sort((a, b) => a - b);
}
