import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root, sources } from './source-files.ts';

/** Idioms that hide who does what. Each has a plain word: the process, the caller, the task, the host; reports, sends, reads. */
const IDIOMS: readonly RegExp[] = [
  /\b(?:who|whom|what)soever\b/i,
  /\bwho(?:m)?ever\b/i,
  // The account `nobody` of a passwd file is a name.
  /\bnobody\b(?!:)/i,
  /\b(?:some|any|every)body\b/i,
  /\b(?:is|are|was|were|be|been) told\b/i,
  /\bhears?\b/i,
  /\bheard of\b/i,
  /\b(?:speaks|spoke)\b/i,
  /\bthree in the morning\b/i,
];

/** What people read: sources and docs. ADRs and the changelog are history, tests describe cases. */
function read(): { path: string; text: string }[] {
  const docs = readdirSync(join(root, 'docs')).flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : []));
  const texts = [...docs, 'README.md', 'CONTRIBUTING.md'].map((path) => ({
    path,
    text: readFileSync(join(root, path), 'utf8'),
  }));
  return [...sources().filter(({ path }) => !path.startsWith('test/')), ...texts];
}

function idiomsOf(text: string): string[] {
  return text
    .split('\n')
    .flatMap((line, index) => (IDIOMS.some((idiom) => idiom.test(line)) ? [`${index + 1}: ${line.trim()}`] : []));
}

describe('texts and comments', () => {
  it('use plain technical English', () => {
    const found = read().flatMap(({ path, text }) => idiomsOf(text).map((line) => `${path}:${line}`));
    expect(found).toEqual([]);
  });

  it.each([
    'Whoever asks gets the last report',
    'nobody waits for it',
    'a batch is told of those that rest',
    'The task hears of a pause',
  ])('are refused with an idiom: %s', (text) => {
    expect(idiomsOf(text)).toHaveLength(1);
  });

  it.each(['nobody:x:65534:65534', 'The worker reports its end', 'a threshold'])('pass: %s', (text) => {
    expect(idiomsOf(text)).toEqual([]);
  });
});
