import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadPhases } from '../../activities/phases/phase-loader.ts';
import type { LabRoles } from '../../lab/roles.ts';
import { dimensionsOf } from '../../test/matrix/kit/choices.ts';
import { specOf } from '../../test/matrix/kit/draft.ts';
import { COMBINATION_HOSTS, loadCases } from '../../test/matrix/kit/load.ts';
import { answersOf, missingPairs, pairName, refusedPairs } from '../../test/matrix/kit/pairs.ts';
import { proposedSpec } from '../../test/matrix/kit/proposed-spec.ts';
import { checkoutRoot } from './paths.ts';

/** A case of the matrix, as `--list --json` prints it. */
export interface MatrixEntry {
  name: string;
  title: string;
  /** The test file that runs it. */
  file: string;
  /** Hosts by role; null: its file says it. */
  hosts: LabRoles | null;
  /** Phases whose artifacts are made on demand. */
  with: readonly string[];
  /** CI runs it. */
  ci: boolean;
}

const FOLDER = 'test/matrix';
const SUFFIX = '.test.ts';

/** All cases: those of test/matrix/cases/ by name, then the longer ones with a test file of their own. */
export async function matrixEntries(): Promise<MatrixEntry[]> {
  const cases = (await loadCases()).map(({ name, title, hosts, with: phases = [], ci = false }) => ({
    ...{ name, title, hosts, with: phases, ci },
    file: `${FOLDER}/kit/cases${SUFFIX}`,
  }));
  const files = readdirSync(join(checkoutRoot, FOLDER))
    .filter((file) => file.endsWith(SUFFIX))
    .sort();
  const longer = files.map((file) => ({
    name: file.slice(0, -SUFFIX.length),
    title: titleOf(readFileSync(join(checkoutRoot, FOLDER, file), 'utf8')),
    file: `${FOLDER}/${file}`,
    hosts: null,
    with: [],
    ci: false,
  }));
  return [...cases, ...longer];
}

/** Pairs of choices that meet in no case though they are accepted, and those that are refused, with why. */
export async function pairsOfCases(): Promise<{ missing: string[]; refused: string[] }> {
  const phases = await loadPhases();
  const dimensions = dimensionsOf(phases);
  const cases = await loadCases();
  const answers = cases.map((each) => answersOf(dimensions, specOf(each, proposedSpec(each)), each));
  const proposed = proposedSpec({ hosts: COMBINATION_HOSTS });
  return {
    missing: missingPairs(answers, proposed, phases).map(pairName),
    refused: refusedPairs(proposed, phases).map(({ pair, why }) => `${pairName(pair)}: ${why}`),
  };
}

/** The first sentence of the first comment of a file. */
function titleOf(text: string): string {
  const [, comment = ''] = /\/\*\*([\s\S]*?)\*\//.exec(text) ?? [];
  const words = comment
    .replace(/^\s*\*/gm, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return words.split(/(?<=[.;:])\s/)[0]!.replace(/[.;:]$/, '');
}
