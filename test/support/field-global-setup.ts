import { readFileSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import type { Lab } from '../../lab/types.ts';
import { freshBench } from '../e2e/support.ts';
import artifacts from './artifacts-global-setup.ts';
import { removeOrphans } from './lab-global-setup.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Three bare hosts (cp-1, worker-1, worker-2) and a service, shared by all field tests of a run. */
    field: { lab: Lab; url: string; token: string };
  }
}

/** Lab and service of the field tests: one per run, named by its pid so that runs do not disturb each other. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await removeOrphans();
  await artifacts();
  const bench = await freshBench(`kwq${process.pid.toString(36)}`, 3);
  const token = readFileSync(bench.service.tokenFile, 'utf8').trim();
  project.provide('field', { lab: bench.lab, url: bench.service.url, token });
  return () => bench.end();
}
