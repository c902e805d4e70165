import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureDebianPackages } from '../../lab/debian.ts';
import { checkoutRoot } from './paths.ts';
import { type FileOutcome, mergeSecondRun, runOutcome, summaryOf, timesTable } from './test-outcome.ts';

/**
 * `npm run test:unit`, `npm test` (fast: unit, golden, workflow, replay, integration), `npm run test:e2e`,
 * `npm run test:attack`, `npm run test:image` and `npm run test:compose`. Further arguments go to vitest. CI runs a failed file once more. Prints the time of each file,
 * slowest first, and each test that passed only when it was run again. Ends with the plain line `N passed, N failed, N
 * skipped`; with KUBEWRIGHT_TEST_SUMMARY set, writes a `TierSummary` there as JSON, so that .ci/run can add them up.
 */
const PROJECTS: Record<string, string[]> = {
  unit: ['unit'],
  fast: ['unit', 'workflow', 'integration'],
  e2e: ['repeat', 'e2e'],
  attack: ['attack'],
  image: ['image'],
  compose: ['compose'],
};

/** What unit tests call on this machine; the other tiers install their own. */
const TOOLS = ['curl', 'openssl'];

/** More failed files than this are no accident. */
const MOST_FILES_AGAIN = 4;

async function main(): Promise<number> {
  const [tier = 'fast', ...rest] = process.argv.slice(2);
  const projects = PROJECTS[tier];
  if (!projects) throw new Error(`unknown tier ${tier}: one of ${Object.keys(PROJECTS).join(', ')}`);
  await ensureDebianPackages(TOOLS, ({ state, packages }) => console.error(`packages: ${state} ${packages.join(' ')}`));
  const selected = projects.flatMap((project) => ['--project', project]);
  let files = await vitest([...selected, ...rest]);
  const failed = files.flatMap(({ file, failed: count }) => (count > 0 ? [file] : []));
  if (process.env['CI'] === 'true' && failed.length > 0 && failed.length <= MOST_FILES_AGAIN) {
    // Real hosts beside whatever else the machine does: CI runs a failed file once more, from fresh hosts, and says so.
    console.log(`again: ${failed.join(', ')}`);
    files = mergeSecondRun(files, await vitest([...selected, ...failed]));
  }
  console.log(`\ntime per file, tier ${tier}:\n${timesTable(files).join('\n')}`);
  const summary = summaryOf(files);
  if (summary.again.length > 0) console.log(`\npassed only when run again:\n  ${summary.again.join('\n  ')}`);
  const file = process.env['KUBEWRIGHT_TEST_SUMMARY'];
  if (file) writeFileSync(file, JSON.stringify(summary));
  console.log(`${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped`);
  return summary.failed > 0 ? 1 : 0;
}

/** Run vitest; what came of each file. A run that fails without a failed test counts as one, under an empty name. */
async function vitest(args: string[]): Promise<FileOutcome[]> {
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-test-'));
  const report = join(folder, 'report.json');
  try {
    const reporters = ['--reporter=default', `--reporter=${join(checkoutRoot, 'cli/dev/test-reporter.ts')}`];
    const code = await spawnVitest(['run', ...args, ...reporters], report);
    const { files, errors } = runOutcome.parse(JSON.parse(readFileSync(report, 'utf8')));
    if ((code !== 0 || errors > 0) && files.every(({ failed }) => failed === 0)) {
      files.push({ file: '', passed: 0, failed: 1, skipped: 0, ms: 0, failures: [], again: [] });
    }
    return files;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function spawnVitest(args: string[], report: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(checkoutRoot, 'node_modules/vitest/vitest.mjs'), ...args], {
      cwd: checkoutRoot,
      stdio: 'inherit',
      env: { ...process.env, KUBEWRIGHT_TEST_REPORT: report },
    });
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

process.exitCode = await main();
