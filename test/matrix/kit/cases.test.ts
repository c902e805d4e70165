import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, it } from 'vitest';
import { loadCases } from './load.ts';
import { type MatrixResult, reportStep, writeResult } from './results.ts';
import { CaseRun, stepsOf } from './steps.ts';

/**
 * The cases of ../cases/, one after the other: each on hosts of its own, a test for each step. KUBEWRIGHT_MATRIX_CASES names some of
 * them, with commas between; without it all run. KUBEWRIGHT_MATRIX_CONFORMANCE=1: the official suite instead of a change.
 */
const chosen = process.env['KUBEWRIGHT_MATRIX_CASES']?.split(',');
const conformance = process.env['KUBEWRIGHT_MATRIX_CONFORMANCE'] === '1';
const cases = (await loadCases()).filter(({ name }) => chosen?.includes(name) ?? true);

/** Bound on a hang, ms: the longest step, a build, takes about a minute on a quiet machine. */
const STEP_MS = 10 * 60_000;
/** The bound is ours, so that the result of the case has it; that of vitest is behind it. */
const BEHIND_MS = 10_000;

class StepTimeout extends Error {}

async function withinLimit(limitMs: number, work: () => Promise<void>): Promise<void> {
  const limit = new AbortController();
  const passed = sleep(limitMs, undefined, { signal: limit.signal }).then(() => {
    throw new StepTimeout(`not done after ${limitMs / 60_000} minutes`);
  });
  try {
    await Promise.race([work(), passed]);
  } finally {
    limit.abort();
    await passed.catch(() => undefined);
  }
}

const seconds = (since: number): number => Math.round((Date.now() - since) / 100) / 10;

describe.each(cases)('$name: $title', (each) => {
  const run = new CaseRun(each, { conformance });
  const began = Date.now();
  const results: MatrixResult['steps'] = [];
  let blocked = false;

  for (const step of stepsOf(each, { conformance })) {
    const limitMs = step.timeoutMs ?? STEP_MS;
    it(step.title, { timeout: limitMs + BEHIND_MS }, async (context) => {
      if (step.last ? !run.hasHosts : blocked || run.refused) {
        // The step that it needs has failed, or the case consists of its refusal: the result of the case has that.
        results.push({ title: step.title, state: 'skipped', seconds: 0 });
        return context.skip();
      }
      const since = Date.now();
      try {
        await withinLimit(limitMs, () => step.run(run));
        results.push({ title: step.title, state: 'passed', seconds: seconds(since) });
        reportStep(`${step.title}: passed, ${seconds(since)} s`);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        results.push({ title: step.title, state: 'failed', seconds: seconds(since), error: message });
        reportStep(`${step.title}: failed, ${seconds(since)} s: ${message}`);
        // What took too long goes on: other steps would run into it.
        blocked ||= step.needed === true || error instanceof StepTimeout;
        throw error;
      }
    });
  }

  afterAll(async () => {
    const failed = results.find(({ state }) => state === 'failed');
    const error = failed ? `${failed.title}: ${failed.error}` : null;
    const state = failed ? 'failed' : results.length > 0 ? 'passed' : 'skipped';
    const { name, title } = each;
    const outcome = run.outcomes.length > 0 ? { conformance: run.outcomes } : {};
    writeResult({
      name,
      title,
      state,
      refused: run.refused,
      seconds: seconds(began),
      steps: results,
      ...outcome,
      error,
    });
    await run.end(failed !== undefined);
  });
});
