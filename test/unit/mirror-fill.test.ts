import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fillMirror } from '../../lab/mirror/fill.ts';
import { readManifest, writeManifest } from '../../lab/mirror/manifest.ts';
import { type MirrorProgress, type MirrorUnit, type Source, SourceUnavailable } from '../../lab/mirror/types.ts';

let base = '';
let root = '';
let runDir = '';
let lastReport: MirrorProgress[] = [];

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'kw-mirror-'));
  root = join(base, 'mirror');
  runDir = join(base, 'work');
  lastReport = [];
  await mkdir(runDir);
});
afterEach(() => rm(base, { recursive: true, force: true }));

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A source that gives `content` for each of the paths and counts its calls. */
function giving(content: string, ...paths: string[]): Source & { calls: number } {
  return {
    name: 'fake',
    calls: 0,
    async supply({ workDir }) {
      this.calls += 1;
      return await Promise.all(
        paths.map(async (mirrorPath, index) => {
          const path = join(workDir, `${index}`);
          await writeFile(path, content);
          return { mirrorPath, path, origin: 'release' as const, source: 'test' };
        }),
      );
    },
  };
}

const refusing = (error: Error): Source => ({ name: 'refusing', supply: () => Promise.reject(error) });

const unit = (name: string, sources: Source[], more: Partial<MirrorUnit> = {}): MirrorUnit => ({
  name,
  files: [{ mirrorPath: `${name}/file` }],
  sources,
  after: [],
  ...more,
});

const fill = (...units: MirrorUnit[]) =>
  fillMirror({ root, runDir, units, arch: 'amd64', onProgress: (progress) => lastReport.push(progress) });

test('what a source gives is published with its sum, size and origin', async () => {
  await fill(unit('a', [giving('hello', 'a/file')]));
  expect(await readFile(join(root, 'a/file'), 'utf8')).toBe('hello');
  expect((await readManifest(root)).files['a/file']).toEqual({
    sha256: sha256('hello'),
    size: 5,
    origin: 'release',
    source: 'test',
  });
  expect(await readdir(runDir)).toEqual([]);
});

test('the second run makes nothing again', async () => {
  const source = giving('hello', 'a/file');
  await fill(unit('a', [source]));
  await fill(unit('a', [source]));
  expect(source.calls).toBe(1);
  expect(lastReport.at(-1)).toMatchObject({ artifact: 'a', state: 'have' });
});

test('the next source is tried when one is not available, and loudly when it gave something wrong', async () => {
  const good = giving('built', 'a/file');
  await fill(
    unit('a', [
      refusing(new SourceUnavailable('closed')),
      refusing(new SourceUnavailable('bad sum', { loud: true })),
      good,
    ]),
  );
  expect(good.calls).toBe(1);
  expect(lastReport.filter(({ state }) => state === 'warn').map(({ message }) => message)).toEqual(['bad sum']);
});

test('a source that lacks a promised file is refused as a whole', async () => {
  const files = [{ mirrorPath: 'a/file' }, { mirrorPath: 'a/second' }];
  const whole = giving('x', 'a/file', 'a/second');
  await fill(unit('a', [giving('x', 'a/file'), whole], { files }));
  expect(whole.calls).toBe(1);
});

test('one failure does not stop the others, and the error names it with its evidence', async () => {
  const broken = unit('broken', [refusing(new SourceUnavailable('no Go here'))]);
  await expect(fill(broken, unit('b', [giving('x', 'b/file')]))).rejects.toMatchObject({
    code: 'LAB_FAILED',
    message: expect.stringContaining('broken') as unknown,
    evidence: expect.stringContaining('no Go here') as unknown,
  });
  expect(Object.keys((await readManifest(root)).files)).toEqual(['b/file']);
});

test('an optional unit may be missing', async () => {
  await fill(unit('extra', [refusing(new SourceUnavailable('closed'))], { optional: true }));
  expect((await readManifest(root)).files).toEqual({});
});

test('a unit starts after those it names', async () => {
  const order: string[] = [];
  const noting = (name: string): Source => {
    const source = giving(name, `${name}/file`);
    return { name, supply: (context) => (order.push(name), source.supply(context)) };
  };
  await fill(unit('first', [noting('first')]), unit('then', [noting('then')], { after: ['first'] }));
  expect(order).toEqual(['first', 'then']);
});

test('a file that changed after it was published is made again', async () => {
  const source = giving('hello', 'a/file');
  await fill(unit('a', [source]));
  await writeFile(join(root, 'a/file'), 'hellO');
  await fill(unit('a', [source]));
  expect(source.calls).toBe(2);
  expect(await readFile(join(root, 'a/file'), 'utf8')).toBe('hello');
});

test('a copied mirror keeps its files: other times are settled by their sums', async () => {
  const source = giving('hello', 'a/file');
  await fill(unit('a', [source]));
  await utimes(join(root, 'a/file'), new Date(), new Date());
  await fill(unit('a', [source]));
  expect(source.calls).toBe(1);
});

test('the manifest is replaced in one step: no draft is left, a broken one counts as empty', async () => {
  const entry = { sha256: sha256('x'), size: 1, origin: 'lab' as const, source: 'test' };
  await Promise.all(
    Array.from({ length: 8 }, () => writeManifest(root, { formatVersion: 1, files: { 'b/x': entry, 'a/x': entry } })),
  );
  expect(await readdir(root)).toEqual(['manifest.json']);
  expect(Object.keys((await readManifest(root)).files)).toEqual(['a/x', 'b/x']);
  await writeFile(join(root, 'manifest.json'), '{"formatVersion": 1, "fil');
  expect((await readManifest(root)).files).toEqual({});
});

test('a manifest that hosts could not read is never written', async () => {
  const entry = { sha256: 'not a sum', size: 1, origin: 'lab' as const, source: 'test' };
  await expect(writeManifest(root, { formatVersion: 1, files: { x: entry } })).rejects.toThrow();
});
