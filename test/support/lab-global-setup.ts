import type { TestProject } from 'vitest/node';
import { labDown, labUp } from '../../lab/lab.ts';
import type { Lab } from '../../lab/types.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Two bare hosts, cp-1 and worker-1, shared by all integration tests: leave them as they were. */
    lab: Lab;
  }
}

/** Lab of the integration tier. KUBEWRIGHT_KEEP_LAB=1 leaves it up, so that the next run starts at once. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const lab = await labUp({
    name: 'kwt',
    hosts: 2,
    mirror: false,
    onProgress: (message) => process.stderr.write(`lab: ${message}\n`),
  });
  project.provide('lab', lab);
  return async () => {
    if (process.env.KUBEWRIGHT_KEEP_LAB !== '1') await labDown(lab.name);
  };
}
