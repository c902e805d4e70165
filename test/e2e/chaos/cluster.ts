import { mkdirSync, rmSync } from 'node:fs';
import { demoRootOf } from '../../../cli/dev/paths.ts';
import { type Lab, labDown, labUp } from '../../../lab/lab.ts';
import { JournalWatch } from './journal.ts';
import { Services } from './services.ts';
import { countSessions } from './sessions.ts';

/** Fresh hosts, with API, worker and Temporal as processes of their own beside them. */
export interface Cluster {
  lab: Lab;
  services: Services;
  journal: JournalWatch;
}

export interface ClusterOptions {
  /** The lab's name; also that of the cluster. */
  name: string;
  hosts: number;
  /** How many of them are control planes; default 1. */
  controlPlanes?: number;
  /** Environment of API and worker. */
  env?: Record<string, string>;
}

/** Make a cluster's hosts and services, use them, remove every trace; also what a killed run left under the name. */
export async function withCluster<T>(
  { name, hosts, controlPlanes = 1, env = {} }: ClusterOptions,
  work: (at: Cluster) => Promise<T>,
): Promise<T> {
  const folder = demoRootOf(name);
  await cleanUp(name, folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const services = await Services.start(folder, env);
  try {
    const lab = await labUp({ name, hosts, controlPlanes });
    await countSessions(lab);
    const journal = await JournalWatch.open(services.dataDir);
    try {
      return await work({ lab, services, journal });
    } finally {
      await journal.close();
    }
  } finally {
    await services.stop();
    await cleanUp(name, folder);
  }
}

async function cleanUp(name: string, folder: string): Promise<void> {
  await Services.endLeftovers(folder);
  await labDown(name);
  rmSync(folder, { recursive: true, force: true });
}
