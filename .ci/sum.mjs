// sum.mjs FOLDER TIER...: adds up what the steps of .ci/run left in FOLDER: <step>.code, and for tiers of tests
// <step>.json (a TierSummary, cli/dev/test-outcome.ts). Prints the tests that passed only when they were run again,
// the steps that failed, and last the plain line. Exits with 1 when anything failed.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder, ...tiers] = process.argv.slice(2);
const sum = { passed: 0, failed: 0, skipped: 0 };
const again = [];
const failed = [];
const done = readdirSync(folder).flatMap((name) => /^(.+)\.code$/.exec(name)?.[1] ?? []);

// A tier that must run and left no trace was killed.
for (const step of new Set([...done, ...tiers])) {
  const code = done.includes(step) ? Number(readFileSync(join(folder, `${step}.code`), 'utf8')) : 1;
  let summary;
  try {
    summary = JSON.parse(readFileSync(join(folder, `${step}.json`), 'utf8'));
  } catch {
    // No tier of tests, or one that broke off: it counts as one check.
    summary = { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0, again: [] };
  }
  if (code !== 0 && summary.failed === 0) summary.failed = 1;
  for (const key of Object.keys(sum)) sum[key] += summary[key] ?? 0;
  again.push(...(summary.again ?? []));
  if (summary.failed > 0) failed.push(`${step} (${summary.failed})`);
}

const lines = [
  ...(again.length > 0 ? ['passed only when run again:', ...again.map((test) => `  ${test}`)] : []),
  ...(failed.length > 0 ? [`failed: ${failed.join(', ')}`] : []),
  `${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`,
];
process.stdout.write(`${lines.join('\n')}\n`);
process.exitCode = sum.failed > 0 ? 1 : 0;
