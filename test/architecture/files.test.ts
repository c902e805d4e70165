import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { optionShapes, scanChecks } from '../../activities/phases/preflight/checks.ts';
import { ERRORS } from '../../contracts/errors.ts';
import { root, sources } from './source-files.ts';

it('no focused or silenced test, no leftover', () => {
  const marks = /\b(it|test|describe)\.only\(|@ts-ignore|\bFIXME\b|\bTODO\b/;
  const found = sources().filter(({ path, text }) => !path.startsWith('test/architecture/') && marks.test(text));
  expect(found.map(({ path }) => path)).toEqual([]);
});

it('every error code is used and listed in docs/errors.md', () => {
  const code = sources()
    .filter(({ path }) => path !== 'contracts/error-catalogue.ts' && !path.startsWith('test/'))
    .map(({ text }) => text)
    .join('\n');
  const docs = readFileSync(join(root, 'docs/errors.md'), 'utf8');
  for (const name of Object.keys(ERRORS)) {
    expect(code.includes(`'${name}'`), `${name} is never used`).toBe(true);
    expect(docs.includes(`\`${name}\``), `${name} is missing in docs/errors.md: npm run docs`).toBe(true);
  }
});

it('a preflight check has the name of its file, a row in docs/preflight.md, and options of its own', async () => {
  const checks = await scanChecks();
  const folder = 'activities/phases/preflight/checks/';
  const files = sources().flatMap(({ path }) => (path.startsWith(folder) ? [path.slice(folder.length, -3)] : []));
  expect(checks.map(({ name }) => name).sort()).toEqual(files.sort());
  const docs = readFileSync(join(root, 'docs/preflight.md'), 'utf8');
  for (const { title, inspects } of checks) expect(docs, 'npm run docs').toContain(`| ${title} | ${inspects} |`);
  expect(() => optionShapes([...checks, checks.find(({ options }) => options)!])).toThrow(/exists twice/);
});

it('the lock file holds every platform of the native packages', () => {
  // A lock written while one platform could not be resolved makes every later `npm ci` fail there.
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, unknown>;
  };
  const names = Object.keys(lock.packages);
  const expected = {
    '@swc/core': ['-darwin-arm64', '-linux-arm64-gnu', '-win32-x64-msvc'],
    oxlint: ['binding-darwin-arm64', 'binding-linux-arm64-gnu', 'binding-win32-x64-msvc'],
    '@biomejs': ['cli-darwin-arm64', 'cli-linux-arm64', 'cli-win32-x64'],
  };
  for (const [family, platforms] of Object.entries(expected)) {
    for (const platform of platforms) {
      expect(
        names.some((name) => name.includes(family) && name.endsWith(platform)),
        `${family} ${platform}`,
      ).toBe(true);
    }
  }
  const resolved = Object.values(lock.packages).some((entry) => Object.hasOwn(entry as object, 'resolved'));
  expect(resolved, 'the lock file names registry addresses').toBe(false);
});

it('the documents that the README names exist', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  for (const [, target] of readme.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
    expect(existsSync(join(root, target!)), target).toBe(true);
  }
});

it('patterns of lint and format match something', () => {
  const read = <T>(name: string) => JSON.parse(readFileSync(join(root, name), 'utf8')) as T;
  const lint = read<{ ignorePatterns: string[]; overrides: { files: string[] }[] }>('.oxlintrc.json');
  const format = read<{ files: { includes: string[] } }>('biome.json');
  const patterns = [...lint.ignorePatterns, ...lint.overrides.flatMap(({ files }) => files), ...format.files.includes];
  expect(patterns.length).toBeGreaterThan(20);
  const matches = (pattern: string) => globSync(pattern.replace(/^!/, ''), { cwd: root }).length > 0;
  expect(patterns.filter((pattern) => !matches(pattern))).toEqual([]);
});

it('a script of package.json is named in a document, and a document is named in another', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
  const documents = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/*.md', { cwd: root })].map((path) => ({
    path,
    text: readFileSync(join(root, path), 'utf8'),
  }));
  const all = documents.map(({ text }) => text).join('\n');
  const named = (script: string) => new RegExp(`(?:npm(?:\\s+run)?\\s+|\`)${script}(?![\\w:-])`).test(all);
  expect(Object.keys(scripts).filter((script) => !named(script))).toEqual([]);
  const linked = ({ path }: { path: string }) =>
    documents.some((other) => other.path !== path && other.text.includes(`${path.split('/').at(-1)}`));
  expect(documents.filter((each) => each.path.startsWith('docs/') && !linked(each)).map(({ path }) => path)).toEqual(
    [],
  );
});
