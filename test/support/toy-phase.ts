import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { onTestFinished } from 'vitest';
import type { Phase } from '../../activities/phases/phase.ts';
import { scanPhases } from '../../activities/phases/phase-loader.ts';
import { checkoutRoot } from '../../cli/dev/paths.ts';

const PHASES = join(checkoutRoot, 'activities/phases');

/** `import` lines with addresses of files below activities/phases/, for a phase that lies somewhere else. */
const importing = (names: Readonly<Record<string, string>>): string =>
  Object.entries(names)
    .map(([name, file]) => `import { ${name} } from '${pathToFileURL(join(PHASES, file)).href}';\n`)
    .join('');

/**
 * The phases of one new folder, which no file of ours knows: `<name>/phase.ts` with `definePhase({ name, ...rest })`, as a
 * user would add it. The folder is removed after the test.
 */
export async function toyPhase(
  name: string,
  { imports = {}, more }: { imports?: Readonly<Record<string, string>>; more: string },
): Promise<Phase[]> {
  const folder = await mkdtemp(join(checkoutRoot, 'node_modules/.toy-phases-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, name));
  const source = `import { z } from 'zod';
${importing({ definePhase: 'phase.ts', ...imports })}
export default definePhase({
  name: '${name}', title: 'Toy ${name}', hosts: 'nodes', optional: 'when-named',
  timeouts: { applyMs: 1000, verifyMs: 1000 }, expectedMs: 1000,
  ${more}
});
`;
  await writeFile(join(folder, name, 'phase.ts'), source);
  return scanPhases(pathToFileURL(`${folder}/`));
}

/** A pod network with an MTU of its own, without ranges that are allocated to nodes. */
export const toyNetwork = (
  needs = '',
  offers = 'mtu: options.mtu, overhead: 0, enforcesPolicies: true, needsPodCidr: false',
) =>
  toyPhase('toynet', {
    imports: { podNetwork: 'capabilities/pod-network.ts' },
    more: `offers: [podNetwork.offer(({ options }) => ({ ${offers} }))],
  needs: [{ phase: 'nodes', on: 'same-host' }${needs}],
  options: z.strictObject({ mtu: z.int().min(1280).max(9000).default(1450) }),`,
  });

/** A container runtime with another socket and unit than ours. */
export const toyRuntime = (offers = "socket: '/run/toy/toy.sock', unit: 'toyd.service', cgroupDriver: 'cgroupfs'") =>
  toyPhase('toyrun', {
    imports: { containerRuntime: 'capabilities/container-runtime.ts' },
    more: `offers: [containerRuntime.offer(() => ({ ${offers} }))],
  needs: [{ phase: 'prepare', on: 'same-host' }],
  keepsRunning: { units: ['toyd'] },
  options: z.strictObject({}),`,
  });
