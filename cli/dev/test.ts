import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { ensureDebianPackages } from '../../lab/debian.ts';
import { checkoutRoot } from './paths.ts';

/**
 * `npm test` (fast: unit, golden, workflow, replay, integration), `npm run test:e2e` and `npm run test:attack`.
 * Further arguments go to vitest. CI runs a failed file once more. Ends with the plain line `N passed, N failed, N skipped`; with
 * KUBEWRIGHT_TEST_SUMMARY set, writes the same numbers there as JSON, so that .ci/run can add them up.
 */
const PROJECTS: Record<string, string[]> = {
  fast: ['unit', 'workflow', 'integration'],
  e2e: ['repeat', 'e2e'],
  attack: ['attack'],
};

/** What unit tests call on this machine; the other tiers install their own. */
const TOOLS = ['curl', 'openssl'];

/** More failed files than this are no accident. */
const MOST_FILES_AGAIN = 4;

const vitestReport = z.object({
  success: z.boolean(),
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      assertionResults: z.array(z.object({ status: z.string() })),
    }),
  ),
});

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

async function main(): Promise<number> {
  const [tier = 'fast', ...rest] = process.argv.slice(2);
  const projects = PROJECTS[tier];
  if (!projects) throw new Error(`unknown tier ${tier}: one of ${Object.keys(PROJECTS).join(', ')}`);
  await ensureDebianPackages(TOOLS, ({ state, packages }) => console.error(`packages: ${state} ${packages.join(' ')}`));
  const selected = projects.flatMap((project) => ['--project', project]);
  const files = await vitest([...selected, ...rest]);
  const failed = [...files].flatMap(([file, counts]) => (counts.failed > 0 ? [file] : []));
  if (process.env['CI'] === 'true' && failed.length > 0 && failed.length <= MOST_FILES_AGAIN) {
    // Real hosts beside whatever else the machine does: CI hears a failed file once more, from fresh hosts, and says so.
    console.log(`again: ${failed.join(', ')}`);
    for (const [file, counts] of await vitest([...selected, ...failed])) files.set(file, counts);
  }
  const sum = [...files.values()].reduce(add, { passed: 0, failed: 0, skipped: 0 });
  const summary = process.env['KUBEWRIGHT_TEST_SUMMARY'];
  if (summary) writeFileSync(summary, JSON.stringify(sum));
  console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
  return sum.failed > 0 ? 1 : 0;
}

const add = (a: Counts, b: Counts): Counts => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
});

/** Run vitest; what came of each file. A run that fails without a failed test counts as one, under an empty name. */
async function vitest(args: string[]): Promise<Map<string, Counts>> {
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-test-'));
  const report = join(folder, 'report.json');
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const code = await spawnVitest(['run', ...args, ...reporters]);
    const { testResults, success } = vitestReport.parse(JSON.parse(readFileSync(report, 'utf8')));
    const files = new Map(testResults.map((file) => [relative(checkoutRoot, file.name), countsOf(file)]));
    const failures = [...files.values()].reduce((sum, { failed }) => sum + failed, 0);
    if (failures === 0 && (code !== 0 || !success)) files.set('', { passed: 0, failed: 1, skipped: 0 });
    return files;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function countsOf({ status, assertionResults }: z.infer<typeof vitestReport>['testResults'][number]): Counts {
  const count = (wanted: string) => assertionResults.filter((each) => each.status === wanted).length;
  const [passed, failed] = [count('passed'), count('failed')];
  // A file that fails to load has no tests of its own: it still is a failure.
  const broken = status === 'failed' && failed === 0 ? 1 : 0;
  return { passed, failed: failed + broken, skipped: assertionResults.length - passed - failed };
}

function spawnVitest(args: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(checkoutRoot, 'node_modules/vitest/vitest.mjs'), ...args], {
      cwd: checkoutRoot,
      stdio: 'inherit',
    });
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

process.exitCode = await main();
