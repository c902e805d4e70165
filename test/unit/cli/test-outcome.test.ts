import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkoutRoot } from '../../../cli/dev/paths.ts';
import { type FileOutcome, mergeSecondRun, runOutcome, summaryOf, timesTable } from '../../../cli/dev/test-outcome.ts';
import { isAlive, processId } from '../../../lab/processes.ts';

const outcome = (file: string, more: Partial<FileOutcome> = {}): FileOutcome => ({
  ...{ file, passed: 1, failed: 0, skipped: 0, ms: 1_000, failures: [], again: [] },
  ...more,
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kw-outcome-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the second run of failed files', () => {
  const first = [
    outcome('a.test.ts', { passed: 1, failed: 2, failures: ['a > racy', 'a > wrong'] }),
    outcome('b.test.ts', { passed: 0, failed: 1 }),
    outcome('c.test.ts', { again: ['c > racy'] }),
  ];
  const second = [
    outcome('a.test.ts', { passed: 2, failed: 1, failures: ['a > wrong'], ms: 500 }),
    outcome('b.test.ts', { passed: 3, again: ['b > racy'] }),
  ];

  it('names what passed only then, and what passed at a second try of vitest', () => {
    expect(summaryOf(mergeSecondRun(first, second))).toEqual({
      ...{ passed: 6, failed: 1, skipped: 0 },
      again: ['a.test.ts: a > racy', 'b.test.ts: (the whole file)', 'b.test.ts: b > racy', 'c.test.ts: c > racy'],
    });
  });

  it('costs time that counts', () => {
    expect(timesTable(mergeSecondRun(first, second)).map((line) => line.trim())).toEqual([
      '2.0 s  b.test.ts (3 passed)',
      '1.5 s  a.test.ts (2 passed, 1 failed)',
      '1.0 s  c.test.ts (1 passed)',
    ]);
  });
});

it('the reporter prints time, failures, and tests that passed at a second run with what the first failed on', async () => {
  const report = join(folder, 'report.json');
  symlinkSync(join(checkoutRoot, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(
    join(folder, 'some.test.ts'),
    `import { expect, it } from 'vitest';
     let tries = 0;
     it('is racy', () => expect(++tries).toBe(2));
     it('is wrong', () => expect(1).toBe(2));
     it('is right', () => undefined);
     it.skip('is left out', () => undefined);`,
  );
  writeFileSync(join(folder, 'broken.test.ts'), `throw new Error('does not load')`);
  const argv = [join(checkoutRoot, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder, '--retry', '1'];
  await promisify(execFile)(
    process.execPath,
    [...argv, `--reporter=${join(checkoutRoot, 'cli/dev/test-reporter.ts')}`],
    { env: { ...process.env, KUBEWRIGHT_TEST_REPORT: report } },
  ).catch(() => null);
  const { files } = runOutcome.parse(JSON.parse(readFileSync(report, 'utf8')));
  const [broken, some] = files.sort((a, b) => a.file.localeCompare(b.file));
  expect(broken).toMatchObject({ passed: 0, failed: 1, failures: [] });
  expect(some).toMatchObject({
    passed: 2,
    failed: 1,
    skipped: 1,
    failures: ['is wrong'],
    again: ['is racy: expected 1 to be 2 // Object.is equality'],
  });
  expect(some!.ms).toBeGreaterThan(0);
});

describe('the end of .ci/run', () => {
  const sum = async (...steps: string[]): Promise<{ code: number; lines: string[] }> => {
    const done = promisify(execFile)(process.execPath, [join(checkoutRoot, '.ci/sum.mjs'), folder, ...steps]);
    const { code, stdout } = await done.then(
      (ended) => ({ code: 0, ...ended }),
      (error: { code: number; stdout: string }) => error,
    );
    return { code, lines: stdout.trimEnd().split('\n') };
  };
  const left = (step: string, code: number, summary?: object): void => {
    writeFileSync(join(folder, `${step}.code`), `${code}\n`);
    if (summary) writeFileSync(join(folder, `${step}.json`), JSON.stringify(summary));
  };

  it('adds up the tiers, counts other steps as one each, and names what was run again before the last line', async () => {
    left('format', 0);
    left('fast', 0, { passed: 7, failed: 0, skipped: 1, again: ['a.test.ts: a > racy'] });
    left('e2e', 0, { passed: 2, failed: 0, skipped: 0, again: [] });
    expect(await sum('fast', 'e2e')).toEqual({
      code: 0,
      lines: ['passed only when run again:', '  a.test.ts: a > racy', '10 passed, 0 failed, 1 skipped'],
    });
  });

  it('fails for a failed step, for a tier that left nothing, and for one that ended badly without a failed test', async () => {
    left('lint', 1);
    left('fast', 137, { passed: 7, failed: 0, skipped: 0, again: [] });
    expect(await sum('fast', 'e2e')).toEqual({
      code: 1,
      lines: ['failed: fast (1), lint (1), e2e (1)', '7 passed, 3 failed, 0 skipped'],
    });
  });

  it('ends processes with the marker of the run, and no others', async () => {
    const mark = `test-${process.pid}-${Date.now()}`;
    const child = (run: string) =>
      spawn('sleep', ['600'], { detached: true, stdio: 'ignore', env: { ...process.env, KUBEWRIGHT_RUN: run } });
    const [ours, theirs] = [child(mark), child(`${mark}0`)];
    const ids = await Promise.all([ours, theirs].map(async ({ pid }) => (await processId(pid!))!));
    mkdirSync(join(folder, 'cache'));
    try {
      const { stderr } = await promisify(execFile)(process.execPath, [join(checkoutRoot, 'cli/dev/end-run.ts'), mark], {
        env: { ...process.env, KUBEWRIGHT_CACHE: join(folder, 'cache') },
      });
      expect(stderr.trim()).toBe(`left by a test: process ${ours.pid} sleep 600`);
      expect(await Promise.all(ids.map(isAlive))).toEqual([false, true]);
    } finally {
      theirs.kill('SIGKILL');
      ours.kill('SIGKILL');
    }
  });
});
