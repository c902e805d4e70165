import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { KIND_ALIASES } from '../../contracts/earlier-kinds.ts';
import { dnsLabel } from '../../contracts/primitives.ts';
import { checkoutRoot } from './paths.ts';

/** `npm run new:operation -- NAME`: a kind of operation that runs one phase on hosts of the request, and its test. */

const kindFile = (name: string): string => `import { defineOperation, someHosts } from '../operation-kind.ts';
import { askedHosts } from '../plan-phases.ts';

/** What it is for, in one sentence. */
export default defineOperation({
  name: '${name}',
  title: 'what it does, for OpenAPI',
  role: 'operator',
  modes: ['apply', 'check'],
  request: { ...someHosts },
  // Spec and hosts of the cluster stay as they are; a failure leaves the cluster degraded.
  effect: 'none',
  clusterStates: { running: 'building', failed: 'degraded', stopped: 'degraded' },
  phases: ['chrony'],

  plan: (input, cluster) => askedHosts(input, cluster),
});
`;

const testFile = (name: string): string => `import { expect, it } from 'vitest';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import type { OperationInput } from '../../../contracts/operation.ts';
import { sampleCluster } from '../../golden/golden.ts';
import { kinds, makePlan } from '../../support/plans.ts';

const input: OperationInput = {
  cluster: 'sample',
  operationId: 'op',
  kind: '${name}',
  mode: 'apply',
  specRef: '0'.repeat(64),
  requestId: 'r',
  actor: { name: 'ann', role: 'operator' },
};

it('${name} is loaded, and takes only the fields of its request', () => {
  expect(kinds.get('${name}')?.request.safeParse({ hosts: ['worker-1'] }).success).toBe(true);
  expect(kinds.get('${name}')?.request.safeParse({ other: 1 }).success).toBe(false);
});

it('${name} plans its phases on the hosts that were asked for', async () => {
  const { phases } = makePlan({ ...input, hosts: ['worker-1'] }, sampleCluster(), await loadPhases());
  expect(phases.map(({ name, hosts }) => [name, hosts])).toEqual([['chrony', ['worker-1']]]);
});
`;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { into: { type: 'string', default: checkoutRoot } },
});
const name = dnsLabel
  .refine((each) => !KIND_ALIASES.has(each), 'stands for a kind of an earlier version')
  .safeParse(positionals[0]);
if (!name.success) {
  console.error(`usage: npm run new:operation -- NAME (${name.error.issues[0]?.message})`);
  process.exit(1);
}
const files = {
  [join(values.into, 'activities/operations/kinds', `${name.data}.ts`)]: kindFile(name.data),
  [join(values.into, 'test/unit/operations', `${name.data}.test.ts`)]: testFile(name.data),
};
const known = Object.keys(files).find((path) => existsSync(path));
if (known !== undefined) {
  console.error(`${known} is there already`);
  process.exit(1);
}
for (const [path, text] of Object.entries(files)) {
  writeFileSync(path, text);
  console.log(`wrote ${path}`);
}
console.log('next: npm run check');
