import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const state = z.enum(['passed', 'failed', 'skipped']);

/** What came of a case, as `--json` prints it. */
export const matrixResult = z.object({
  name: z.string(),
  title: z.string(),
  state: state.describe('`skipped`: it did not run'),
  /** True: passed, and the product refused the build with the expected code, for the machine lacks something. */
  refused: z.boolean(),
  seconds: z.number(),
  steps: z.array(z.object({ title: z.string(), state, seconds: z.number(), error: z.string().optional() })),
  conformance: z
    .array(z.object({ suite: z.string(), passed: z.int(), failed: z.array(z.string()) }))
    .optional()
    .describe('Parts of the official suite that ran'),
  error: z.string().nullable().describe('The first step that failed, and why'),
});
export type MatrixResult = z.infer<typeof matrixResult>;

/** Writes the result into the folder of KUBEWRIGHT_MATRIX_RESULTS, where `npm run matrix` reads it. */
export function writeResult(result: MatrixResult): void {
  const folder = process.env['KUBEWRIGHT_MATRIX_RESULTS'];
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${result.name}.json`), JSON.stringify(result));
}

/** File of the results' folder with a line for each step that has ended. */
export const PROGRESS_FILE = 'progress';

/** Reports a step as it ends: the output of a test comes when all of them are over. */
export function reportStep(text: string): void {
  const folder = process.env['KUBEWRIGHT_MATRIX_RESULTS'];
  if (folder !== undefined) appendFileSync(join(folder, PROGRESS_FILE), `${text}\n`);
}
