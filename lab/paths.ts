import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { KubewrightError } from '../contracts/errors.ts';
import type { Lab } from './types.ts';

/** Bridges are called `kwb-<name>` and veths `vb-<name>-h<NN>`; Linux allows 15 characters. */
const NAME = /^[a-z]([a-z0-9-]{0,6}[a-z0-9])?$/;

/** Most hosts of one lab. */
export const MAX_HOSTS = 20;

/** Facts that concern the whole machine, whichever cache a lab keeps its files in. */
export const MACHINE_STATE = '/run/kubewright-lab';

/** Where one lab keeps its files and what it calls its things. */
export interface LabPaths {
  name: string;
  cacheDir: string;
  stateDir: string;
  stateFile: string;
  lockFile: string;
  hostsDir: string;
  sshKey: string;
  passwordFile: string;
  specFile: string;
  bridge: string;
  nftTable: string;
}

/** Kubewright's cache folder: `KUBEWRIGHT_CACHE`, or `~/.cache/kubewright`. */
export function defaultCacheDir(): string {
  return resolve(process.env.KUBEWRIGHT_CACHE ?? join(homedir(), '.cache', 'kubewright'));
}

/** The names and places of a lab. Throws BAD_REQUEST when the name does not fit interface names. */
export function labPaths(name: string, cacheDir: string = defaultCacheDir()): LabPaths {
  if (!NAME.test(name)) {
    throw new KubewrightError(
      'BAD_REQUEST',
      `lab name "${name}": give 1 to 8 characters of a-z, 0-9 and "-", starting with a letter`,
    );
  }
  if (/[,:\\]/.test(cacheDir)) {
    throw new KubewrightError('BAD_REQUEST', `cache folder ${cacheDir}: overlay mounts take no "," ":" or "\\"`);
  }
  const stateDir = join(cacheDir, 'labs', name);
  return {
    name,
    cacheDir,
    stateDir,
    stateFile: join(stateDir, 'lab.json'),
    // Beside the folder: `down` removes the folder while it holds the lock.
    lockFile: join(cacheDir, 'labs', `.${name}.lock`),
    hostsDir: join(stateDir, 'hosts'),
    sshKey: join(stateDir, 'id_ed25519'),
    passwordFile: join(stateDir, 'operator-password'),
    specFile: join(stateDir, 'cluster.yaml'),
    bridge: `kwb-${name}`,
    // nft's identifiers have no "-", lab names have no "_".
    nftTable: `kwlab_${name.replaceAll('-', '_')}`,
  };
}

/** How a test names a lab: the lab itself, or its provided data. The key selects the cache folder. */
export type LabRef = Pick<Lab, 'name' | 'sshKey'>;

/** The names and places of a lab that was brought up. */
export function labOfRef({ name, sshKey }: LabRef): LabPaths {
  return labPaths(name, sshKey.slice(0, sshKey.lastIndexOf('/labs/')));
}

/** What one host of a lab is called outside: cgroup, machine and veth are named after its number, not its name. */
export interface HostPaths {
  dir: string;
  root: string;
  upper: string;
  work: string;
  /** Plain folder of this machine's file system, mounted as /var: overlayfs takes no overlayfs as upper layer. */
  data: string;
  log: string;
  machine: string;
  cgroup: string;
  /** Cgroup of the process that starts the host again when it reboots. */
  keeper: string;
  veth: string;
}

/** The names and places of a host; `index` counts from 0. */
export function hostPaths(lab: LabPaths, index: number): HostPaths {
  const machine = `${lab.name}-h${index + 1}`;
  const dir = join(lab.hostsDir, `h${index + 1}`);
  return {
    dir,
    root: join(dir, 'root'),
    upper: join(dir, 'upper'),
    work: join(dir, 'work'),
    data: join(dir, 'var'),
    log: join(dir, 'nspawn.log'),
    machine,
    cgroup: `kwlab-${machine}`,
    keeper: `kwlab-${machine}-keeper`,
    veth: `vb-${machine}`,
  };
}
