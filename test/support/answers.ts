import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/**
 * Services that tests start compare each of their answers with the OpenAPI document (`api/plugins/checked-answers.ts`) and
 * write what differs to the file that this variable names. vitest.config.ts sets it, so all processes of a run inherit it.
 * The folder of a run has a file for each test file, and `run.log` for what global setups start.
 */
export const ANSWERS = 'KUBEWRIGHT_CHECK_ANSWERS';

const FOLDER = 'kubewright-answers-';

/** Sets the variable for this run, in its main process. A run within a run uses that one's file. */
export function checkAnswersOfRun(): void {
  process.env[ANSWERS] ??= join(mkdtempSync(join(tmpdir(), `${FOLDER}${process.pid}-`)), 'run.log');
}

/** The file for differences that services of this process write to. Throws when the check is off. */
export function answersFile(): string {
  const file = process.env[ANSWERS];
  if (!file) throw new Error(`${ANSWERS} is not set: vitest.config.ts sets it for tests`);
  return file;
}

/** From here on services of this process write to a file of the test file's name, which is returned. */
export function answersOfFile(testFile: string): string {
  const file = join(dirname(answersFile()), `${basename(testFile)}.log`);
  process.env[ANSWERS] = file;
  return file;
}

/** The lines of a file of differences behind its first `from` characters, and its length. */
export function differences(file: string, from = 0): { lines: string[]; length: number } {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  return { lines: text.slice(from).split('\n').filter(Boolean), length: text.length };
}

/** Adds what a service wrote to a file of its own, such as one in a container, to the differences of this process. */
export function addDifferences(lines: readonly string[]): void {
  if (lines.length > 0) appendFileSync(answersFile(), `${lines.join('\n')}\n`);
}

/** All differences of this run, whose folder is removed. Empty in a run within a run. */
export function endRun(): string[] {
  const folder = dirname(answersFile());
  if (!basename(folder).startsWith(`${FOLDER}${process.pid}-`) || !existsSync(folder)) return [];
  const lines = readdirSync(folder).flatMap((name) =>
    differences(join(folder, name)).lines.map((line) => `${name}: ${line}`),
  );
  rmSync(folder, { recursive: true, force: true });
  return lines;
}

/** Throws unless the service at this address checks its answers: one that is started without would prove nothing. */
export async function requireChecked(url: string): Promise<void> {
  const { CHECKED_HEADER } = await import('../../api/plugins/checked-answers.ts');
  const answer = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(10_000) });
  await answer.arrayBuffer();
  if (answer.headers.get(CHECKED_HEADER) !== '1') {
    throw new Error(`${url} does not check its answers: its process does not get ${ANSWERS}`);
  }
}
