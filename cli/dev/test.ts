import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { ensureDebianPackages } from '../../lab/debian.ts';
import { checkoutRoot } from './paths.ts';

/**
 * `npm test` (fast: unit, golden, workflow, replay, integration) and `npm run test:e2e`.
 * Further arguments go to vitest. Ends with the plain line `N passed, N failed, N skipped`; with
 * KUBEWRIGHT_TEST_SUMMARY set, writes the same numbers there as JSON, so that .ci/run can add them up.
 */
const PROJECTS: Record<string, string[]> = {
  fast: ['unit', 'workflow', 'integration'],
  e2e: ['e2e'],
};

/** What unit tests call on this machine; the other tiers install their own. */
const TOOLS = ['curl', 'openssl'];

const vitestReport = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  numFailedTestSuites: z.number(),
  success: z.boolean(),
});

async function main(): Promise<number> {
  const [tier = 'fast', ...rest] = process.argv.slice(2);
  const projects = PROJECTS[tier];
  if (!projects) throw new Error(`unknown tier ${tier}: one of ${Object.keys(PROJECTS).join(', ')}`);
  await ensureDebianPackages(TOOLS, ({ state, packages }) => console.error(`packages: ${state} ${packages.join(' ')}`));
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-test-'));
  const report = join(folder, 'report.json');
  try {
    const code = await vitest([
      'run',
      ...projects.flatMap((project) => ['--project', project]),
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...rest,
    ]);
    const counts = vitestReport.parse(JSON.parse(readFileSync(report, 'utf8')));
    const passed = counts.numPassedTests;
    const skipped = counts.numPendingTests + counts.numTodoTests;
    // A file that fails to load has no tests of its own: it still is a failure.
    const failed = Math.max(counts.numFailedTests, counts.success && code === 0 ? 0 : 1);
    const summary = process.env['KUBEWRIGHT_TEST_SUMMARY'];
    if (summary) writeFileSync(summary, JSON.stringify({ passed, failed, skipped }));
    console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
    return failed > 0 || code !== 0 ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function vitest(args: string[]): Promise<number> {
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
