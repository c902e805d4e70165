import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { demoRootOf } from '../../../cli/dev/paths.ts';
import { type Lab, labDown, labUp } from '../../../lab/lab.ts';
import type { LabRoles } from '../../../lab/roles.ts';
import { restoreLab, saveLab } from '../../../lab/saved-state.ts';
import { JournalWatch } from './journal.ts';
import { Services } from './services.ts';
import { countSessions, sessionsOf } from './sessions.ts';

/** Hosts, with API, worker and Temporal as processes of their own beside them. */
export interface Cluster {
  lab: Lab;
  services: Services;
  journal: JournalWatch;
  /** Commands that sshd of each host had started when the hosts were fresh or taken back. */
  sessionsBefore: ReadonlyMap<string, number>;
}

/** A cluster that can be taken back to states of itself. */
export interface SavedCluster extends Cluster {
  /**
   * Keeps the disks of the hosts and, of the same moment, the data of the services: database, keys, Temporal. Hosts and
   * services are started again. Nothing may be running.
   */
  save(label: string): Promise<void>;
  /** Takes hosts and services back to a saved state, and starts them. `services` and `journal` are other ones then. */
  restore(label: string): Promise<void>;
  /** Ends everything and removes every trace. */
  end(): Promise<void>;
}

export interface ClusterOptions {
  /** The lab's name; also that of the cluster. */
  name: string;
  hosts: number | LabRoles;
  /** Where `hosts` is a number: how many of them are control planes; default 1. */
  controlPlanes?: number;
  /** Environment of API and worker. */
  env?: Record<string, string>;
}

/** Make a cluster's hosts and services; what a killed run left under the name is removed first. */
export async function openCluster({ name, hosts, controlPlanes, env = {} }: ClusterOptions): Promise<SavedCluster> {
  const folder = demoRootOf(name);
  const savedData = (label: string): string => join(folder, `saved-${label}`);
  await cleanUp(name, folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const services = await Services.start(folder, env);
  try {
    const lab = await labUp({ name, hosts, ...(controlPlanes === undefined ? {} : { controlPlanes }) });
    await countSessions(lab);
    let running = true;
    const halt = async (): Promise<void> => {
      if (!running) return;
      running = false;
      await at.journal.close();
      await at.services.stop();
    };
    const resume = async (): Promise<void> => {
      running = true;
      at.services = await Services.start(folder, env);
      at.journal = await JournalWatch.open(at.services.dataDir);
      at.sessionsBefore = await sessionsOf(lab);
    };
    const at: SavedCluster = {
      lab,
      services,
      journal: await JournalWatch.open(services.dataDir),
      sessionsBefore: new Map(),
      async save(label) {
        await halt();
        await saveLab(lab, label);
        rmSync(savedData(label), { recursive: true, force: true });
        cpSync(services.dataDir, savedData(label), { recursive: true, preserveTimestamps: true });
        await resume();
      },
      async restore(label) {
        await halt();
        await restoreLab(lab, label);
        rmSync(services.dataDir, { recursive: true, force: true });
        cpSync(savedData(label), services.dataDir, { recursive: true, preserveTimestamps: true });
        await resume();
      },
      async end() {
        try {
          await halt();
        } finally {
          await cleanUp(name, folder);
        }
      },
    };
    return at;
  } catch (error) {
    await services.stop();
    await cleanUp(name, folder);
    throw error;
  }
}

/** Make a cluster, use it, remove every trace. */
export async function withCluster<T>(options: ClusterOptions, work: (at: Cluster) => Promise<T>): Promise<T> {
  const at = await openCluster(options);
  try {
    return await work(at);
  } finally {
    await at.end();
  }
}

async function cleanUp(name: string, folder: string): Promise<void> {
  await Services.endLeftovers(folder);
  await labDown(name);
  rmSync(folder, { recursive: true, force: true });
}
