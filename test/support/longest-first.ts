import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * The files of the e2e tier that take minutes, longest first (docs/benchmarks.md). Where files run side by side, a long
 * one that starts last would keep the run waiting.
 */
const LONGEST = [
  'chaos',
  'control-planes',
  'high-availability',
  'lost-hosts',
  'pause',
  'faults',
  'teardown',
  'secrets',
  'quarantine',
];

const rank = ({ moduleId }: TestSpecification): number => {
  const at = LONGEST.findIndex(
    (name) => moduleId.endsWith(`/test/e2e/${name}.test.ts`) || moduleId.endsWith(`/${name}/${name}.test.ts`),
  );
  return at < 0 ? LONGEST.length : at;
};

/** Vitest's own order (groups, projects, larger files first), with the long files of a group before the others. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const order = (file: TestSpecification): number => file.project.config.sequence.groupOrder;
    // A stable sort: what ranks alike stays as it was.
    return (await super.sort(files)).sort((a, b) => order(a) - order(b) || rank(a) - rank(b));
  }
}
