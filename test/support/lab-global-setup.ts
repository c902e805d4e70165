import { existsSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { allLabs, labDown, labUp } from '../../lab/lab.ts';
import type { Lab } from '../../lab/types.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Two bare hosts, cp-1 and worker-1, shared by all integration tests: leave them as they were. */
    lab: Lab;
  }
}

/** Labs of test runs: `kwt` is the one that is kept, others end with the pid of their run in base 36. */
const OF_A_RUN = /^kw[tkhq]([0-9a-z]{1,5})$/;

/**
 * Lab of the integration tier, one per run so that runs do not disturb each other. With KUBEWRIGHT_KEEP_LAB=1 it is
 * called `kwt` and stays up, so that the next such run starts at once.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const keep = process.env.KUBEWRIGHT_KEEP_LAB === '1';
  await removeOrphans();
  const lab = await labUp({
    name: keep ? 'kwt' : `kwt${process.pid.toString(36)}`,
    hosts: 2,
    mirror: false,
    onProgress: (message) => process.stderr.write(`lab: ${message}\n`),
  });
  project.provide('lab', lab);
  return async () => {
    if (!keep) await labDown(lab.name);
  };
}

/** Takes down labs of runs that were killed. */
export async function removeOrphans(): Promise<void> {
  for (const name of await allLabs()) {
    const pid = OF_A_RUN.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${Number.parseInt(pid, 36)}`)) await labDown(name);
  }
}
