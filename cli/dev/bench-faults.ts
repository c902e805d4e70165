import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { z } from 'zod';
import { writeFigures } from './bench-page.ts';
import { checkoutRoot } from './paths.ts';

/**
 * `npm run bench:faults`: what lost hosts and pauses cost, on lab hosts. The end-to-end tests that show it also measure
 * it; this runs them and puts what they handed over into tables. `--write` puts those into docs/benchmarks.md.
 */
const TESTS = ['lost-hosts', 'pause', 'quarantine', 'control-planes'].map((name) => `test/e2e/${name}.test.ts`);
const TITLES: Record<string, string> = {
  lost: 'A lost worker, three hosts',
  pause: 'Pause of a build, two hosts',
  quarantine: 'A worker that is down permanently',
  'control-planes': 'A control plane of three, five hosts',
};

/** A line of the file that KUBEWRIGHT_FIGURES names (test/e2e/figures.ts). */
const figure = z.object({ table: z.string(), cells: z.record(z.string(), z.string()) });
type Figure = z.infer<typeof figure>;

const program = new Command('bench:faults')
  .description('Measure what lost hosts and pauses cost, on lab hosts')
  .option('--from <file>', 'figures that an e2e run wrote (KUBEWRIGHT_FIGURES): nothing is run')
  .option('--write', 'put the figures into docs/benchmarks.md')
  .parse();

function run(figuresFile: string): Promise<number> {
  const tests = TESTS.filter((file) => existsSync(join(checkoutRoot, file)));
  const child = spawn(process.execPath, [join(checkoutRoot, 'cli/dev/test.ts'), 'e2e', ...tests], {
    cwd: checkoutRoot,
    stdio: ['ignore', 2, 2],
    // One cluster at a time: two would measure each other.
    env: { ...process.env, KUBEWRIGHT_FIGURES: figuresFile, KUBEWRIGHT_E2E_WORKERS: '1' },
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

function table(figures: readonly Figure[]): string {
  const columns = [...new Set(figures.flatMap(({ cells }) => Object.keys(cells)))];
  const line = (cells: string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(columns),
    line(columns.map(() => '---')),
    ...figures.map(({ cells }) => line(columns.map((column) => cells[column] ?? ''))),
  ].join('\n');
}

function report(figures: readonly Figure[]): string {
  const tables = [...new Set(figures.map((each) => each.table))];
  return [
    `Measured ${new Date().toISOString().slice(0, 10)} on ${cpus().length} cores.`,
    ...tables.map((name) => `${TITLES[name] ?? name}:\n\n${table(figures.filter((each) => each.table === name))}`),
  ].join('\n\n');
}

const options = program.opts<{ from?: string; write?: true }>();
const folder = mkdtempSync(join(tmpdir(), 'kubewright-figures-'));
try {
  const file = options.from ?? join(folder, 'figures');
  process.exitCode = options.from === undefined ? await run(file) : 0;
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  const text = report(lines.map((line) => figure.parse(JSON.parse(line))));
  console.log(text);
  if (options.write && process.exitCode === 0) writeFigures('bench:faults', text);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
