import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { copyOfSources, follow, stepsOfPage } from '../support/tutorial.ts';

/**
 * docs/tutorial-network.md, followed literally in a copy of the sources; what needs lab hosts is followed by the case
 * `tutorial-network` of the matrix.
 */
const steps = stepsOfPage('tutorial-network.md');
let copy: ReturnType<typeof copyOfSources>;

beforeAll(() => {
  copy = copyOfSources();
  return () => copy.remove();
});
afterAll(() => {
  const read = (path: string) => readFileSync(join(copy.folder, path), 'utf8');
  expect(read('docs/phases.md')).toContain('bridge-routes');
  expect(read('test/golden/files/bridge-routes/default/resources.yaml')).toContain('bridge-routes.service');
});

it('has commands and files in turn, and one of them builds a cluster', () => {
  expect(steps.filter(({ kind }) => kind === 'file').length).toBe(3);
  expect(steps.filter((step) => step.kind === 'commands' && step.lab).length).toBe(1);
});

it.each(
  steps.map((step, index) => [index + 1, step.kind === 'file' ? step.path : step.commands.join('; '), step] as const),
)(
  'step %i: %s',
  async (_, _title, step) => {
    if (step.kind === 'commands' && step.lab) return;
    await follow(copy.folder, step);
  },
  300_000,
);
