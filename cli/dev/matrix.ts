import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { type MatrixResult, matrixResult, PROGRESS_FILE } from '../../test/matrix/kit/results.ts';
import { type MatrixEntry, matrixEntries, pairsOfCases } from './matrix-entries.ts';
import { machineWords, withResults } from './matrix-table.ts';
import { checkoutRoot } from './paths.ts';

/**
 * `npm run matrix`: cases on real clusters of lab hosts. A file of test/matrix/cases/ is a choice of the spec, with the same steps
 * for all of them; a file test/matrix/<name>.test.ts is a longer case with steps of its own. With `--json` standard output
 * has one JSON document and nothing else; progress goes to standard error.
 */
interface Options {
  list?: true;
  case?: string;
  all?: true;
  ci?: true;
  json?: true;
  keep?: true;
  conformance?: true;
  write?: true;
  pairs?: true;
}

const entries = await matrixEntries();
const program = new Command('matrix')
  .description('Cases on real clusters of lab hosts')
  .option('--list', 'names and titles of all cases')
  .addOption(new Option('--case <name>', 'only this case').choices(entries.map(({ name }) => name)))
  .option('--all', 'all cases, one after the other')
  .option('--ci', 'the cases that CI runs')
  .option('--json', 'one JSON document on standard output')
  .option('--conformance', 'the official network suite of Kubernetes instead of a change (docs/matrix.md)')
  .option('--write', 'put the results into docs/matrix.md')
  .option('--pairs', 'pairs of choices that meet in no case, and those that are refused, with why')
  .option('--keep', 'the lab of a failed case stays: npm run lab -- down --name NAME')
  .allowExcessArguments(false)
  .parse();
const options = program.opts<Options>();

const print = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
const say = (line: string): void => void process.stderr.write(`${line}\n`);

function list(): void {
  if (options.json) return print(entries);
  const width = Math.max(...entries.map(({ name }) => name.length));
  for (const { name, title } of entries) process.stdout.write(`${name.padEnd(width)}  ${title}\n`);
}

/** Tests of one case, as `cli/dev/test.ts` counts them. */
interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  again: string[];
}

/** Runs a case in a process of its own; what came of it. */
async function runCase(entry: MatrixEntry): Promise<{ result: MatrixResult; counts: Counts }> {
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-matrix-'));
  const summary = join(folder, 'summary.json');
  const began = Date.now();
  const stopReporting = reportProgress(join(folder, PROGRESS_FILE));
  try {
    const code = await spawnTests(entry, {
      KUBEWRIGHT_MATRIX_CASES: entry.name,
      KUBEWRIGHT_MATRIX_RESULTS: folder,
      KUBEWRIGHT_TEST_SUMMARY: summary,
      ...(options.conformance ? { KUBEWRIGHT_MATRIX_CONFORMANCE: '1' } : {}),
      ...(options.keep ? { KUBEWRIGHT_KEEP_LAB: '1' } : {}),
    });
    const counts = existsSync(summary)
      ? (JSON.parse(readFileSync(summary, 'utf8')) as Counts)
      : { passed: 0, failed: 1, skipped: 0, again: [] };
    const file = join(folder, `${entry.name}.json`);
    const result = existsSync(file)
      ? matrixResult.parse(JSON.parse(readFileSync(file, 'utf8')))
      : wholeFile(entry, code, Math.round((Date.now() - began) / 100) / 10);
    return { result: code === 0 ? result : { ...result, state: 'failed' }, counts };
  } finally {
    stopReporting();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes the lines of a growing file to standard error. Returns what ends it, after the last line. */
function reportProgress(file: string): () => void {
  let shown = 0;
  const show = () => {
    if (!existsSync(file)) return;
    const text = readFileSync(file, 'utf8');
    process.stderr.write(text.slice(shown));
    shown = text.length;
  };
  const timer = setInterval(show, 1_000);
  return () => {
    clearInterval(timer);
    show();
  };
}

/** The result of a case that writes none: its tests are its steps, and the report of vitest has them. */
const wholeFile = ({ name, title }: MatrixEntry, code: number, seconds: number): MatrixResult => ({
  name,
  title,
  state: code === 0 ? 'passed' : 'failed',
  refused: false,
  seconds,
  steps: [],
  error: code === 0 ? null : `npm run matrix -- --case ${name} ended with exit code ${code}`,
});

function spawnTests({ file }: MatrixEntry, env: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(checkoutRoot, 'cli/dev/test.ts'), 'matrix', file], {
      cwd: checkoutRoot,
      // Standard output is for the JSON document.
      stdio: ['inherit', options.json ? process.stderr : 'inherit', 'inherit'],
      env: { ...process.env, ...env },
    });
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

async function run(chosen: readonly MatrixEntry[]): Promise<void> {
  const results: MatrixResult[] = [];
  const sum: Counts = { passed: 0, failed: 0, skipped: 0, again: [] };
  for (const entry of chosen) {
    say(`== ${entry.name}: ${entry.title}`);
    const { result, counts } = await runCase(entry);
    results.push(result);
    for (const key of ['passed', 'failed', 'skipped'] as const) sum[key] += counts[key];
    sum.again.push(...counts.again);
    say(`== ${entry.name}: ${result.state}, ${result.seconds} s${result.error === null ? '' : `\n${result.error}`}`);
  }
  const file = process.env['KUBEWRIGHT_TEST_SUMMARY'];
  if (file) writeFileSync(file, JSON.stringify(sum));
  if (options.write) {
    const page = join(checkoutRoot, 'docs/matrix.md');
    const date = new Date().toISOString().slice(0, 10);
    writeFileSync(page, withResults(readFileSync(page, 'utf8'), results, { date, machine: machineWords() }));
  }
  if (options.json) print(options.case === undefined ? results : results[0]);
  else if (chosen.length > 1) {
    for (const { name, state, seconds, error } of results) say(`${state} ${name} ${seconds} s ${error ?? ''}`.trim());
    process.stdout.write(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped\n`);
  }
  process.exitCode = results.every(({ state }) => state === 'passed') ? 0 : 1;
}

async function pairs(): Promise<void> {
  const { missing, refused } = await pairsOfCases();
  if (options.json) return print({ missing, refused });
  for (const line of missing) process.stdout.write(`missing: ${line}\n`);
  for (const line of refused) process.stdout.write(`refused: ${line}\n`);
  if (missing.length === 0) process.stdout.write('every other two choices meet in a case\n');
}

if (options.pairs) await pairs();
else if (options.case !== undefined) await run(entries.filter(({ name }) => name === options.case));
else if (options.all) await run(options.conformance ? entries.filter(({ hosts }) => hosts !== null) : entries);
else if (options.ci) await run(entries.filter(({ ci }) => ci));
else list();
