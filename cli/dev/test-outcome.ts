import { z } from 'zod';

/** What came of one test file. */
export const fileOutcome = z.object({
  /** Relative to the checkout; empty for errors outside of any file. */
  file: z.string(),
  passed: z.int(),
  failed: z.int(),
  skipped: z.int(),
  /** Import, tests and hooks, ms. */
  ms: z.number(),
  /** Full names of tests that failed in the end. */
  failures: z.array(z.string()),
  /** Full names of tests that passed only when they were run again. */
  again: z.array(z.string()),
});
export type FileOutcome = z.infer<typeof fileOutcome>;

/** What test-reporter.ts writes at the end of a vitest run. */
export const runOutcome = z.object({ files: z.array(fileOutcome), errors: z.int() });

/** What a tier hands to .ci/run. */
export interface TierSummary {
  passed: number;
  failed: number;
  skipped: number;
  /** Tests that failed and then passed: `<file>: <test>`. */
  again: string[];
}

/**
 * The second run of some files put into the first one. A test that failed at first and passes now counts as passed, and
 * as run again; a file that did not even load at first is named without a test. The times of both runs add up.
 */
export function mergeSecondRun(first: readonly FileOutcome[], second: readonly FileOutcome[]): FileOutcome[] {
  const later = new Map(second.map((outcome) => [outcome.file, outcome]));
  return first.map((before) => {
    const after = later.get(before.file);
    if (after === undefined) return before;
    const mended = before.failures.filter((test) => !after.failures.includes(test));
    const whole = before.failures.length === 0 && before.failed > 0 && after.failed === 0 ? ['(the whole file)'] : [];
    return { ...after, ms: before.ms + after.ms, again: [...new Set([...whole, ...mended, ...after.again])] };
  });
}

export function summaryOf(files: readonly FileOutcome[]): TierSummary {
  const sum = (key: 'passed' | 'failed' | 'skipped') => files.reduce((total, each) => total + each[key], 0);
  return {
    passed: sum('passed'),
    failed: sum('failed'),
    skipped: sum('skipped'),
    again: files.flatMap(({ file, again }) => again.map((test) => `${file}: ${test}`)),
  };
}

/** A line per file with its time in seconds, slowest first. */
export function timesTable(files: readonly FileOutcome[]): string[] {
  return [...files]
    .filter(({ file }) => file !== '')
    .sort((a, b) => b.ms - a.ms)
    .map(({ file, ms, passed, failed, skipped }) => {
      const counts = [`${passed} passed`, failed > 0 && `${failed} failed`, skipped > 0 && `${skipped} skipped`];
      return `${(ms / 1000).toFixed(1).padStart(8)} s  ${file} (${counts.filter(Boolean).join(', ')})`;
    });
}
