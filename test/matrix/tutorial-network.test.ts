import { beforeAll, expect, it } from 'vitest';
import { copyOfSources, follow, stepsOfPage } from '../support/tutorial.ts';

/** docs/tutorial-network.md, followed to its end: the new network carries a cluster on lab hosts. */

const steps = stepsOfPage('tutorial-network.md');
let copy: ReturnType<typeof copyOfSources>;

beforeAll(() => {
  copy = copyOfSources();
  return () => copy.remove();
});

it('every step of the page', async () => {
  expect(steps.some((step) => step.kind === 'commands' && step.lab)).toBe(true);
  for (const step of steps) await follow(copy.folder, step);
});
