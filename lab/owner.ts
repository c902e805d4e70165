import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KubewrightError } from '../contracts/errors.ts';
import { type LabPaths, MACHINE_STATE } from './paths.ts';

const NAMES = join(MACHINE_STATE, 'labs');

/** Bridges and cgroups carry the lab's name: two caches on one machine must not both have a lab of that name. */
export async function claimName(lab: LabPaths): Promise<void> {
  const file = join(NAMES, lab.name);
  const holder = await readFile(file, 'utf8').catch(() => null);
  if (holder !== null && holder !== lab.stateDir && existsSync(holder)) {
    throw new KubewrightError('CONFLICT', `a lab called ${lab.name} has its files in ${holder}: choose another name`);
  }
  await mkdir(NAMES, { recursive: true });
  await writeFile(file, lab.stateDir);
}

/** Forgets the lab's name and, with the last lab, the folders that held such facts. */
export async function releaseName(lab: LabPaths): Promise<void> {
  await rm(join(NAMES, lab.name), { force: true });
  for (const folder of [NAMES, join(MACHINE_STATE, 'subnets'), MACHINE_STATE]) await rmdir(folder).catch(() => {});
}
