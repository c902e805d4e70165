import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { byName, checkKinds, scanKinds } from '../../activities/operations/kind-loader.ts';
import type { OperationKinds } from '../../activities/operations/operation-kind.ts';
import { checkoutRoot } from '../../cli/dev/paths.ts';

const of = (file: string): string => pathToFileURL(join(checkoutRoot, file)).href;

/**
 * Our kinds and one more, `restart-time`, which no file of ours knows: one new file, as a user would add it. It plans the phase
 * `clock` on the hosts of the request, is refused on a cluster that was not built, and leaves the cluster `degraded`. The file
 * is gone when this returns.
 */
export async function withToyOperation(): Promise<OperationKinds> {
  const folder = await mkdtemp(join(checkoutRoot, 'node_modules/.toy-kinds-'));
  try {
    await writeFile(join(folder, 'restart-time.ts'), SOURCE);
    const kinds = [...(await scanKinds()), ...(await scanKinds(pathToFileURL(`${folder}/`)))];
    checkKinds(kinds);
    return byName(kinds);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const SOURCE = `import { z } from 'zod';
import { KubewrightError } from '${of('contracts/errors.ts')}';
import { defineOperation, someHosts } from '${of('activities/operations/operation-kind.ts')}';
import { askedHosts } from '${of('activities/operations/plan-phases.ts')}';
export default defineOperation({
  name: 'restart-time', title: 'restarts the time service', role: 'admin', modes: ['apply', 'check'],
  request: { ...someHosts, afterSeconds: z.int().min(0).max(60).default(0) },
  effect: 'none',
  clusterStates: { running: 'building', succeeded: 'degraded', failed: 'failed', stopped: 'incomplete' },
  phases: ['clock'],
  async guard({ cluster }, world) {
    if (!(await world.wasBuilt())) throw new KubewrightError('CONFLICT', 'the cluster ' + cluster + ' was not built');
  },
  plan: (input, cluster) => {
    if (input.request.afterSeconds > 50) throw new KubewrightError('BAD_REQUEST', 'too late');
    return askedHosts(input, cluster);
  },
});
`;
