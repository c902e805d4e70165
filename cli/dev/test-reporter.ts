import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import type { z } from 'zod';
import { keepEnds } from '../../contracts/cut.ts';
import { checkoutRoot } from './paths.ts';
import type { FileOutcome, runOutcome } from './test-outcome.ts';

/** Characters of an error that are kept. */
const MOST_REASON = 2_000;

/** Writes what came of each file to the file that KUBEWRIGHT_TEST_REPORT names, in the shape of `runOutcome`. */
export default class TestReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const file = process.env['KUBEWRIGHT_TEST_REPORT'];
    if (!file) return;
    const outcome: z.infer<typeof runOutcome> = { files: modules.map(outcomeOf), errors: errors.length };
    writeFileSync(file, JSON.stringify(outcome));
  }
}

function outcomeOf(module: TestModule): FileOutcome {
  const tests = [...module.children.allTests()];
  const named = (state: string) => tests.filter((test) => test.result().state === state);
  const failures = named('failed').map(({ fullName }) => fullName);
  const passed = named('passed');
  // A file that does not load, and one whose hooks fail, has perhaps no failed test: it still is a failure.
  const broken = module.state() === 'failed' && failures.length === 0 ? 1 : 0;
  const { collectDuration, setupDuration, duration } = module.diagnostic();
  return {
    file: relative(checkoutRoot, module.moduleId),
    passed: passed.length,
    failed: failures.length + broken,
    skipped: tests.length - passed.length - failures.length,
    ms: collectDuration + setupDuration + duration,
    failures,
    again: passed.filter((test) => (test.diagnostic()?.retryCount ?? 0) > 0).map(withReason),
  };
}

/** A test that passed when it was run again, with what its first attempt failed on: there is no other trace of it. */
function withReason(test: TestCase): string {
  const reason = test.result().errors?.[0]?.message ?? '';
  return reason === '' ? test.fullName : `${test.fullName}: ${keepEnds(reason, MOST_REASON)}`;
}
