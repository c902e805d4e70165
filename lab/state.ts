import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LabPaths } from './paths.ts';
import type { ProcessId } from './processes.ts';

/** One host as recorded. Recorded only once it runs: what has no record is rubble. */
export interface HostState {
  index: number;
  name: string;
  address: string;
  hostKey: string;
  keeper: ProcessId;
}

/** What `lab.json` of a lab holds. */
export interface LabState {
  name: string;
  /** The base image that the hosts' overlays stand on. */
  base: string;
  subnet: string;
  hosts: HostState[];
  /** Where the artifact mirror is served, or null. */
  mirror: string | null;
  /** System of the hosts (`lab/systems.ts`). Absent: Debian 12. */
  os?: string;
  /** The test run that made it: KUBEWRIGHT_RUN of its environment. Absent for labs made by hand. */
  run?: string;
}

/** The recorded state of a lab, or null when there is none. */
export async function readState(lab: LabPaths): Promise<LabState | null> {
  const text = await readFile(lab.stateFile, 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as LabState);
}

/** Records the state of a lab; readers see the old or the new one, never half. */
export async function writeState(lab: LabPaths, state: LabState): Promise<void> {
  await mkdir(lab.stateDir, { recursive: true });
  await writeFile(`${lab.stateFile}.new`, `${JSON.stringify(state, null, 2)}\n`);
  await rename(`${lab.stateFile}.new`, lab.stateFile);
}

/** Names of all labs that have files in a cache folder. */
export async function labNames(cacheDir: string): Promise<string[]> {
  const entries = await readdir(join(cacheDir, 'labs'), { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}
