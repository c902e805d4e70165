import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { checkoutRoot } from '../../../cli/dev/paths.ts';
import type { MatrixCase } from './case.ts';
import { dimensionsOf } from './choices.ts';
import { combination } from './combination.ts';
import { specOf } from './draft.ts';
import { answersOf, proposeCases } from './pairs.ts';
import { proposedSpec } from './proposed-spec.ts';

const FOLDER = join(checkoutRoot, 'test/matrix/cases');

/** A case with its name. */
export interface NamedCase extends MatrixCase {
  name: string;
}

/** Hosts of a combination. */
export const COMBINATION_HOSTS = { 'control-plane': 1, worker: 2 } as const;

/** The cases of the folder, by name, then combinations for the pairs of choices that none of them has. */
export async function loadCases(): Promise<NamedCase[]> {
  const cases = await casesOf(FOLDER);
  return [...cases, ...(await combinationsBeside(cases))];
}

/** Throws an Error for a file without a case. */
async function casesOf(folder: string): Promise<NamedCase[]> {
  const files = readdirSync(folder)
    .filter((file) => file.endsWith('.ts'))
    .sort();
  return Promise.all(
    files.map(async (file) => {
      const module = (await import(join(folder, file))) as { default?: MatrixCase };
      if (!module.default) throw new Error(`test/matrix/cases/${file} has no default export: defineMatrixCase({...})`);
      return { ...module.default, name: file.slice(0, -'.ts'.length) };
    }),
  );
}

/** Named by what is not the default in them: `with-calico-docker-rhel`. */
async function combinationsBeside(cases: readonly NamedCase[]): Promise<NamedCase[]> {
  const phases = await loadPhases();
  const dimensions = dimensionsOf(phases);
  const proposed = proposedSpec({ hosts: COMBINATION_HOSTS });
  const defaults = answersOf(dimensions, proposed, {});
  const answers = cases.map((each) => answersOf(dimensions, specOf(each, proposedSpec(each)), each));
  return proposeCases(answers, proposed, phases).map((values) => {
    const chosen = Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== defaults[name]));
    return { ...combination(chosen), name: `with-${Object.values(chosen).join('-')}` };
  });
}
