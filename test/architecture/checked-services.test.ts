import { expect, it } from 'vitest';
import { sources } from './source-files.ts';

/** Where tests start an API: in a process of its own, from the files of the image, or in the process of the test. */
const STARTS = /\bspawn\([^;]*(?:api|\$\{name\})\/main\.ts|startInImage\(image|await ensureService\(|await buildApp\(/;
/** What compares its answers with the OpenAPI document, or fails when nothing does. */
const CHECKED = /requireChecked\(|checkAnswers|KUBEWRIGHT_CHECK_ANSWERS/;

it('every API that a test starts compares its answers with the OpenAPI document', () => {
  const starting = sources().filter(({ path, text }) => /^(test|cli\/dev\/fuzz)/.test(path) && STARTS.test(text));
  expect(starting.length).toBeGreaterThanOrEqual(8);
  expect(starting.filter(({ text }) => !CHECKED.test(text)).map(({ path }) => path)).toEqual([]);
});
