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
  // A machine or process is down, unreachable or lost.
  /\b(?:are|is|was) away\b/i,
  /\bfor want of\b/i,
  /\bin vain\b/i,
  // A token or an answer is valid, limited to, may access.
  /\b(?:are|is|was) good for\b/i,
  // Programs report, print, send.
  /\btells\b/i,
];

/** Names that were private idiom; docs/glossary.md and the terms of the field have replaced them. */
const OLD_NAMES =
  /\b(?:Enders|SideLine|Twin|twinOf|refuseSilent|archivist|Archivist|CommandWords|requireTrail|foretell\w*|foretold|witnessed\w*|settleMember|speaksOfNodes|hasLeft|untold|forgetStamps|forgetStrangers|forgetHostKey|looksAtHealth|markSettled|isSettled|LOOK_MS|PATIENCE|patienceMs)\b/;

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

const TITLE = /^\s*(?:\]|\}|it\b|test\b|describe\b).*?\((['"`])(.+?)\1/;
const COMMENT = /^\s*(?:\/\/|\/?\*)|\s\/\/ /;

/** Titles and comments of tests. Their code has cases such as a user `nobody`. */
const testLines = (text: string): string =>
  text
    .split('\n')
    .map((line) => TITLE.exec(line)?.[2] ?? (COMMENT.test(line) ? line : ''))
    .join('\n');

describe('texts and comments', () => {
  it('of tests use plain technical English, in titles and comments', () => {
    const found = sources()
      .filter(({ path }) => path.startsWith('test/') && path !== 'test/architecture/words.test.ts')
      .flatMap(({ path, text }) => idiomsOf(testLines(text)).map((line) => `${path}:${line}`));
    expect(found).toEqual([]);
  });

  it('use the names of the glossary', () => {
    const found = sources()
      .filter(({ path }) => path !== 'test/architecture/words.test.ts')
      .flatMap(({ path, text }) => {
        const old = OLD_NAMES.exec(text)?.[0];
        return old === undefined ? [] : [`${path}: ${old}`];
      });
    expect(found).toEqual([]);
  });

  it('find the title of a test', () => {
    expect(idiomsOf(testLines("  it('is told apart', () => {\n  const x = 'nobody';\n"))).toHaveLength(1);
  });

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
