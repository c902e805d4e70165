import { afterAll, afterEach, expect } from 'vitest';
import { answersOfFile, differences } from './answers.ts';

/** A test fails when a service of its file gave an answer that differs from the OpenAPI document, to any caller. */
const file = answersOfFile(expect.getState().testPath ?? 'unnamed');
let seen = differences(file).length;

function failOnDifferences(): void {
  const { lines, length } = differences(file, seen);
  seen = length;
  if (lines.length > 0) throw new Error(`answers differ from the OpenAPI document:\n  ${lines.join('\n  ')}`);
}

afterEach(failOnDifferences);
afterAll(failOnDifferences);
