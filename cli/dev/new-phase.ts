import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { dnsLabel } from '../../contracts/primitives.ts';
import { checkoutRoot } from './paths.ts';

/**
 * `npm run new:phase NAME [-- --provides CAPABILITY]`: a phase that installs nothing yet, and its golden case. A provider of a
 * capability is off unless the spec names it: the choice has a default provider.
 */

const phaseFile = (name: string, provides?: string): string => `import { z } from 'zod';
import { file } from '../resources/file.ts';
import { definePhase } from './phase.ts';

/** What it is for, in one sentence. */
export default definePhase({
  name: '${name}',
  title: '${name}',
  hosts: 'nodes',${provides === undefined ? '' : `\n  provides: ['${provides}'],\n  optional: 'when-named',`}
  needs: [{ phase: 'prepare', on: 'same-host' }],
  timeouts: { applyMs: 5 * 60_000, verifyMs: 60_000 },
  expectedMs: 2_000,

  options: z.strictObject({}),

  resources: ({ host }) => [file('/etc/kubewright/${name}.conf', \`# \${host.name}\\n\`)],
});
`;

const testFile = (name: string): string => `import { it } from 'vitest';
import phase from '../../activities/phases/${name}.ts';
import { expectGolden } from './golden.ts';

it('${name}: default options', () => expectGolden(phase, { name: 'default' }));
`;

const { positionals, values } = parseArgs({ allowPositionals: true, options: { provides: { type: 'string' } } });
const name = dnsLabel.safeParse(positionals[0]);
const provides = dnsLabel.optional().safeParse(values.provides);
if (!name.success || !provides.success) {
  const problem = (name.error ?? provides.error)?.issues[0]?.message;
  console.error(`usage: npm run new:phase NAME [-- --provides CAPABILITY] (${problem})`);
  process.exit(1);
}
const files = {
  [join(checkoutRoot, 'activities/phases', `${name.data}.ts`)]: phaseFile(name.data, provides.data),
  [join(checkoutRoot, 'test/golden', `${name.data}.test.ts`)]: testFile(name.data),
};
for (const path of Object.keys(files)) {
  if (existsSync(path)) {
    console.error(`${path} is there already`);
    process.exit(1);
  }
}
for (const [path, text] of Object.entries(files)) {
  writeFileSync(path, text);
  console.log(`wrote ${path}`);
}
console.log('next: npm run golden:update, then npm run check');
