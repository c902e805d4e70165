import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureDebianPackages } from '../../lab/debian.ts';
import { defaultCacheDir } from '../../lab/paths.ts';
import { checkoutRoot } from './paths.ts';
import { type FileOutcome, mergeSecondRun, runOutcome, summaryOf, timesTable } from './test-outcome.ts';

/**
 * `npm run test:unit`, `npm test` (fast: unit, golden, workflow, replay, integration), `npm run test:e2e`,
 * `npm run test:field`,
 * `npm run test:attack`, `npm run test:image`, `npm run test:compose` and `npm run matrix`. Further arguments go to vitest. CI runs a
 * failed file once more. Prints the time of each file, slowest first, and each test that passed only when it was run
 * again. Ends with the plain line `N passed, N failed, N skipped`; with KUBEWRIGHT_TEST_SUMMARY set, writes a `TierSummary` there as JSON, so that .ci/run can add them up.
 *
 * Projects of vitest by tier. Those of one lane run one after the other, lanes side by side: tests on hosts wait most of
 * their time.
 */
const TIERS: Record<string, string[][]> = {
  unit: [['unit']],
  fast: [['unit', 'workflow'], ['integration']],
  e2e: [['e2e'], ['repeat', 'field']],
  field: [['field', 'field-long']],
  attack: [['attack']],
  image: [['image']],
  compose: [['compose']],
  matrix: [['matrix']],
};

/** What unit tests call on this machine; the other tiers install their own. */
const TOOLS = ['curl', 'openssl'];

/** More failed files than this are no accident. */
const MOST_FILES_AGAIN = 4;

async function main(): Promise<number> {
  const [tier = 'fast', ...rest] = process.argv.slice(2);
  const lanes = TIERS[tier];
  if (!lanes) throw new Error(`unknown tier ${tier}: one of ${Object.keys(TIERS).join(', ')}`);
  await ensureDebianPackages(TOOLS, ({ state, packages }) => console.error(`packages: ${state} ${packages.join(' ')}`));
  let files = await run(rest.includes('--project') ? [[]] : lanes, rest);
  const failed = files.flatMap(({ file, failed: count }) => (count > 0 ? [file] : []));
  // A run that failed by itself (an answer that differs from the OpenAPI document) has no file to run again.
  const again = failed.length > 0 && !failed.includes(FAILED_RUN.file);
  if (process.env['CI'] === 'true' && again && failed.length <= MOST_FILES_AGAIN) {
    // Real hosts beside whatever else the machine does: CI runs a failed file once more, from fresh hosts, and says so.
    console.log(`again: ${failed.join(', ')}`);
    files = mergeSecondRun(files, await run([lanes.flat()], failed));
  }
  console.log(`\ntime per file, tier ${tier}:\n${timesTable(files).join('\n')}`);
  const summary = summaryOf(files);
  if (summary.again.length > 0) console.log(`\npassed only when run again:\n  ${summary.again.join('\n  ')}`);
  const file = process.env['KUBEWRIGHT_TEST_SUMMARY'];
  if (file) writeFileSync(file, JSON.stringify(summary));
  console.log(`${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped`);
  return summary.failed > 0 ? 1 : 0;
}

/** Run all lanes. A file is in one lane only; that none of them has a file for the arguments is a failure. */
async function run(lanes: readonly string[][], args: readonly string[]): Promise<FileOutcome[]> {
  const outcomes = await Promise.all(
    lanes.map((projects, lane) =>
      vitest([...projects.flatMap((project) => ['--project', project]), ...args], lane === 0 ? 'live' : 'at the end'),
    ),
  );
  const files = outcomes.flat();
  return files.length > 0 ? files : [FAILED_RUN];
}

/** A run that fails without a failed test. */
const FAILED_RUN: FileOutcome = { file: '', passed: 0, failed: 1, skipped: 0, ms: 0, failures: [], again: [] };

/** Run vitest; what came of each file. Its output comes as it is written, or in one piece when it has ended. */
async function vitest(args: string[], output: 'live' | 'at the end'): Promise<FileOutcome[]> {
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-test-'));
  const report = join(folder, 'report.json');
  try {
    const reporters = ['--reporter=default', `--reporter=${join(checkoutRoot, 'cli/dev/test-reporter.ts')}`];
    const argv = ['run', '--passWithNoTests', ...args, ...reporters];
    const { code, kept } = await spawnVitest(argv, report, output);
    // Without any file for it, vitest may end before its reporters have written.
    const outcome = existsSync(report) ? runOutcome.parse(JSON.parse(readFileSync(report, 'utf8'))) : null;
    if (code !== 0 || (outcome?.files.length ?? 0) > 0) process.stdout.write(kept);
    if (outcome === null) return code === 0 ? [] : [FAILED_RUN];
    const { files, errors } = outcome;
    const unexplained = (code !== 0 || errors > 0) && files.every(({ failed }) => failed === 0);
    return unexplained ? [...files, FAILED_RUN] : files;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Exit code, and what was written unless that went out as it came. */
function spawnVitest(
  args: string[],
  report: string,
  output: 'live' | 'at the end',
): Promise<{ code: number; kept: Buffer }> {
  return new Promise((resolve, reject) => {
    const stdio = output === 'live' ? 'inherit' : 'pipe';
    const child = spawn(process.execPath, [join(checkoutRoot, 'node_modules/vitest/vitest.mjs'), ...args], {
      cwd: checkoutRoot,
      stdio: ['inherit', stdio, stdio],
      env: {
        // Compiled code of the programs that tests start (CLI, API, worker): half of the CPU time of a short one.
        NODE_COMPILE_CACHE: join(defaultCacheDir(), 'node-compile'),
        ...process.env,
        KUBEWRIGHT_TEST_REPORT: report,
      },
    });
    const kept: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => kept.push(data));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, kept: Buffer.concat(kept) }));
  });
}

process.exitCode = await main();
