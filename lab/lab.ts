import { mkdir, writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import { KubewrightError } from '../contracts/errors.ts';
import { clearHalfBuiltBases, ensureBase, removeTree } from './base.ts';
import { isCgroupV2 } from './cgroups.ts';
import { ensureDebianPackages } from './debian.ts';
import { stopEtcds } from './etcd-server.ts';
import { removeHost } from './host.ts';
import { ensureHosts, hostStands, traces } from './lab-hosts.ts';
import { ensureAccess } from './lab-secrets.ts';
import { withLock } from './lock.ts';
import { hasSwap, hasSysResource, resolvConf } from './machine.ts';
import { buildMirror, mirrorAnswers, startMirror, stopMirror } from './mirror-server.ts';
import { ensureNetwork, linkExists, removeNetwork, uplinkMtu } from './network.ts';
import { claimName, releaseName } from './owner.ts';
import { defaultCacheDir, hostPaths, type LabPaths, labPaths } from './paths.ts';
import { hostNames, type LabRoles, labRoles } from './roles.ts';
import { labSpec } from './spec.ts';
import { type LabState, labNames, readState, writeState } from './state.ts';
import { gatewayAddress, reserveSubnet, virtualAddress } from './subnet.ts';
import { DEFAULT_SYSTEM, labSystem } from './systems.ts';
import type { Lab, LabHost, Progress } from './types.ts';

export type { Lab, Progress } from './types.ts';

/** Debian packages of this machine that a lab is made with. */
const TOOLS = [
  'mmdebstrap',
  'debian-archive-keyring',
  'systemd-container',
  'iproute2',
  'nftables',
  'openssh-client',
  'openssl',
  'util-linux',
];

export interface LabUpOptions {
  /** Default `kw`; 1 to 8 characters. */
  name?: string;
  /** Hosts in all, 1 to 20, or how many of each role; default 3. */
  hosts?: number | LabRoles;
  /** Where `hosts` is a number: how many of them are control planes; default 1. */
  controlPlanes?: number;
  cacheDir?: string;
  /** False leaves out the artifact mirror. */
  mirror?: boolean;
  /** System of the hosts, a name of `lab/systems.ts`; default: that of a lab which stands, else Debian 12. */
  os?: string;
  /** Phases whose files the mirror has only on demand, and that this lab needs (`calico`). */
  with?: readonly string[];
  onProgress?: Progress;
}

/**
 * Brings up a lab: real systemd hosts with sshd on a network of their own, and the artifact mirror beside them. Finds
 * one that stands already, adds hosts when more are asked for, and clears away what a killed run left.
 * Throws BAD_REQUEST, CONFLICT (fewer hosts than stand, another run at work) or LAB_FAILED.
 */
export async function labUp(options: LabUpOptions = {}): Promise<Lab> {
  const { hosts = 3, controlPlanes, mirror = true, with: phases = [], onProgress = () => {} } = options;
  const lab = labPaths(options.name ?? 'kw', options.cacheDir ?? defaultCacheDir());
  const names = hostNames(labRoles(hosts, controlPlanes));
  requireRoot();
  return withLock(lab.lockFile, 0, async () => {
    await claimName(lab);
    const before = await readState(lab);
    const os = options.os ?? before?.os ?? DEFAULT_SYSTEM;
    if (before !== null) {
      refuseOtherSystem(before, os);
      if (await isComplete(lab, before, { names, mirror })) {
        // A mirror that runs serves what is added to its folder.
        if (mirror && phases.length > 0) await buildMirror(lab.cacheDir, phases, onProgress);
        return describe(lab, before);
      }
      await refuseToShrink(before, names);
    }
    await ensureDebianPackages(TOOLS, ({ state, packages }) => onProgress(`packages: ${state} ${packages.join(' ')}`));
    const state: LabState = before ?? { name: lab.name, base: '', subnet: '', hosts: [], mirror: null };
    if (os !== DEFAULT_SYSTEM) state.os = os;
    const run = process.env['KUBEWRIGHT_RUN'];
    if (run) state.run = run;
    // Before anything is made: `down` of a run finds what was killed half way.
    await writeState(lab, state);
    // Both take long and neither needs the other; what either made is kept when the other fails.
    const [made, built] = await Promise.allSettled([
      makeHosts(lab, state, names, onProgress),
      mirror ? buildMirror(lab.cacheDir, phases, onProgress) : null,
    ]);
    if (made.status === 'rejected') throw made.reason;
    if (built.status === 'rejected') throw built.reason;
    if (built.value !== null) {
      state.mirror = await startMirror(lab, built.value, gatewayAddress(state.subnet));
      onProgress(`mirror: served at ${state.mirror}`);
    }
    await writeState(lab, state);
    return describe(lab, state);
  });
}

/** Takes down a lab, whole or half-made, and removes every trace of it. The base image and the mirror's files stay. */
export async function labDown(
  name: string,
  onProgress: Progress = () => {},
  cacheDir: string = defaultCacheDir(),
): Promise<void> {
  const lab = labPaths(name, cacheDir);
  requireRoot();
  await withLock(lab.lockFile, 0, async () => {
    await stopMirror(lab);
    await stopEtcds(lab);
    await Promise.all((await traces(lab)).map((index) => removeHost(hostPaths(lab, index))));
    await removeNetwork(lab);
    await removeTree(lab.stateDir);
    await releaseName(lab);
    await clearHalfBuiltBases(cacheDir);
    onProgress(`lab ${name}: removed`);
  });
}

/** How a lab is now. */
export interface LabStatus {
  name: string;
  /** True when everything recorded runs. */
  up: boolean;
  subnet: string | null;
  hosts: { name: string; address: string; up: boolean }[];
  mirror: { url: string; up: boolean } | null;
}

/** Looks at a lab without changing anything; null when nothing is known of it. */
export async function labStatus(name: string, cacheDir: string = defaultCacheDir()): Promise<LabStatus | null> {
  const lab = labPaths(name, cacheDir);
  const state = await readState(lab);
  if (state === null) return null;
  const hosts = await Promise.all(
    state.hosts.map(async (host) => ({ name: host.name, address: host.address, up: await hostStands(host) })),
  );
  const mirror = state.mirror === null ? null : { url: state.mirror, up: await mirrorAnswers(state.mirror) };
  const up =
    hosts.length > 0 && hosts.every((host) => host.up) && mirror?.up !== false && (await linkExists(lab.bridge));
  return { name, up, subnet: state.subnet || null, hosts, mirror };
}

/** Names of all labs with files in the cache, standing or not. */
export function allLabs(cacheDir: string = defaultCacheDir()): Promise<string[]> {
  return labNames(cacheDir);
}

/** Names of the labs that a test run made (`KUBEWRIGHT_RUN` in its environment), whole or half-made. */
export async function labsOfRun(run: string, cacheDir: string = defaultCacheDir()): Promise<string[]> {
  const names = await labNames(cacheDir);
  const states = await Promise.all(names.map((name) => readState(labPaths(name, cacheDir))));
  return names.filter((_, at) => states[at]?.run === run);
}

async function makeHosts(
  lab: LabPaths,
  state: LabState,
  names: readonly string[],
  onProgress: Progress,
): Promise<void> {
  const [base, access] = await Promise.all([ensureBase(lab.cacheDir, onProgress, state.os), ensureAccess(lab)]);
  // Hosts that stand keep their network; only a lab without any may move.
  if (!(await linkExists(lab.bridge)) || state.subnet === '') {
    state.hosts = [];
    await removeNetwork(lab);
    state.subnet = await reserveSubnet(lab.name, state.subnet || null);
  }
  state.base = base;
  await writeState(lab, state);
  const mtu = await uplinkMtu();
  await ensureNetwork(lab, state.subnet, mtu);
  await ensureHosts(lab, state, names, { base, mtu, resolvConf: await resolvConf(), access }, onProgress);
}

async function isComplete(
  lab: LabPaths,
  state: LabState,
  wanted: { names: readonly string[]; mirror: boolean },
): Promise<boolean> {
  if (state.hosts.map(({ name }) => name).join() !== wanted.names.join()) return false;
  if (wanted.mirror && state.mirror === null) return false;
  return (await labStatus(lab.name, lab.cacheDir))?.up === true;
}

function refuseOtherSystem(state: LabState, os: string): void {
  const own = state.os ?? DEFAULT_SYSTEM;
  if (own !== os && state.hosts.length > 0)
    throw new KubewrightError('CONFLICT', `lab ${state.name} stands with hosts of ${own}: take it down first`);
}

async function refuseToShrink(state: LabState, names: readonly string[]): Promise<void> {
  const stands = await Promise.all(state.hosts.map(hostStands));
  const unwanted = state.hosts.filter(({ name }, at) => stands[at] && !names.includes(name));
  if (unwanted.length === 0) return;
  const list = (hosts: readonly { name: string }[]) => hosts.map(({ name }) => name).join(', ');
  throw new KubewrightError(
    'CONFLICT',
    `lab ${state.name} stands with ${list(state.hosts)}: take it down first, or ask for ${list(unwanted)} as well`,
  );
}

/** What callers get, with the spec written beside the lab's other files. */
async function describe(lab: LabPaths, state: LabState): Promise<Lab> {
  const { sshKey, passwordFile, specFile } = lab;
  const hosts: LabHost[] = state.hosts.map(({ name, address, hostKey }) => ({
    name,
    address,
    port: 22 as const,
    user: 'root' as const,
    sshKey,
    hostKey,
  }));
  const traits = { cgroupV2: await isCgroupV2(), sysResource: await hasSysResource(), swap: await hasSwap() };
  const virtual = virtualAddress(state.subnet);
  // Hosts of the RHEL family have a firewall that runs: kubectl of this machine is a client beyond the cluster.
  const clients = labSystem(state.os ?? DEFAULT_SYSTEM).rpm ? [`${gatewayAddress(state.subnet)}/32`] : [];
  const spec = labSpec({ name: lab.name, hosts, virtualAddress: virtual, mirror: state.mirror, clients }, traits);
  await mkdir(lab.stateDir, { recursive: true });
  await writeFile(specFile, stringify(spec, { lineWidth: 0 }));
  return {
    name: lab.name,
    bridge: lab.bridge,
    subnet: state.subnet,
    gateway: gatewayAddress(state.subnet),
    virtualAddress: virtual,
    hosts,
    sshKey,
    users: { admin: { user: 'admin', sshKey }, operator: { user: 'operator', passwordFile } },
    mirror: state.mirror,
    spec,
    specFile,
  };
}

function requireRoot(): void {
  if (process.getuid?.() !== 0)
    throw new KubewrightError('BAD_REQUEST', 'a lab needs root: it makes bridges and mounts');
}
