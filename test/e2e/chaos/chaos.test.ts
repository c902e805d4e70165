import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withPairs } from './pairs.ts';
import { choosePoints, dealOut, everyPoint, type Point } from './points.ts';
import { type CaseOutcome, chaosCase, referenceBuild } from './run.ts';
import { chaosSettings, POINTS_PER_BUILD } from './settings.ts';
import { outcomeTable } from './table.ts';

const settings = chaosSettings(process.env, Math.random);
const WALK_LIMIT_MS = 24 * 3600 * 1000;
const say = (text: string): void => void process.stderr.write(`${text}\n`);

/**
 * Faults at command boundaries of real builds: 12 points as part of test:e2e, 40 with `npm run test:chaos`; `-- --seed N`
 * repeats a run, `--points 12` draws as many, `--pairs 3` of them with two faults at once, `--case 7` is the build of one case, `--walk` goes through every boundary. docs: CONTRIBUTING.md.
 */
describe(`chaos, seed ${settings.seed}`, () => {
  const outcomes: CaseOutcome[] = [];
  let builds: Point[][] = [];

  beforeAll(async () => {
    say(
      `chaos: seed ${settings.seed}; again with: npm run test:chaos -- --seed ${settings.seed} --points ${settings.points} --pairs ${settings.pairs}`,
    );
    const { commands, problems } = await referenceBuild();
    expect(problems).toEqual([]);
    const points = settings.walk
      ? everyPoint(commands, settings.seed)
      : withPairs(choosePoints(commands, settings.seed, settings.points), settings.seed, settings.pairs);
    builds = dealOut(points, POINTS_PER_BUILD);
    const pairs = points.filter(({ also }) => also).length;
    say(
      `chaos: ${commands.length} commands, ${points.length} points (${pairs} of two faults) in ${builds.length} builds`,
    );
  });

  afterAll(() => say(`chaos, seed ${settings.seed}:\n${outcomeTable(outcomes)}`));

  const strike = async (points: readonly Point[]): Promise<string[]> => {
    const { cases } = settings;
    if (cases && !points.some(({ number }) => number >= cases.from && number <= cases.to)) return [];
    const begun = Date.now();
    const outcome = await chaosCase(points);
    outcomes.push(outcome);
    const took = Math.round((Date.now() - begun) / 1000);
    say(`${outcomeTable([outcome])}\n${outcome.problems.join('\n') || 'all well'} (${took} s)\n`);
    return outcome.problems;
  };

  if (!settings.walk) {
    it.each(Array.from({ length: Math.ceil(settings.points / POINTS_PER_BUILD) }, (_, at) => at))(
      'build %i stands its faults and ends as if nothing had been',
      async (build) => {
        expect(await strike(builds[build]!)).toEqual([]);
      },
    );
    return;
  }

  it(
    'every command boundary can be struck',
    async () => {
      const problems: string[] = [];
      for (const points of builds) {
        const found = await strike(points).catch((error: unknown) => [String(error)]);
        const cases = points.map(({ number }) => number).join(', ');
        problems.push(...found.map((problem) => `cases ${cases}: ${problem}`));
      }
      expect(problems).toEqual([]);
    },
    WALK_LIMIT_MS,
  );
});
