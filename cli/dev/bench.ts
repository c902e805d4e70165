import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import type { OperationStatus } from '../../contracts/operation.ts';
import { labDown, labUp } from '../../lab/lab.ts';
import { recordedWorker } from '../../worker/data-dir.ts';
import { resolveTemporalBinary } from '../../worker/temporal-server/resolve.ts';
import { ApiClient } from './api-client.ts';
import { writeFigures } from './bench-page.ts';
import { longestChain } from './critical-path.ts';
import { demoRootOf } from './paths.ts';
import { ensureService, type RunningService, stopService } from './services.ts';

/**
 * `npm run bench`: the figures of docs/benchmarks.md, on lab hosts of its own. Each run builds on fresh hosts, with the
 * mirror warm, then builds again unchanged. Prints every run and the medians; `--write` puts them into the document.
 */
interface Run {
  buildMs: number;
  chainMs: number;
  chain: string[];
  againMs: number;
  againChanges: number;
  againRestarts: number;
  memoryMiB: number;
  peakMiB: number;
}

const NAME = 'bench';
const folder = demoRootOf(NAME);
const say = (line: string) => process.stderr.write(`bench: ${line}\n`);

async function once(): Promise<Run> {
  await cleanUp();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lab = await labUp({ name: NAME, hosts: 3, onProgress: say });
  const service = await ensureService(folder, say);
  const api = new ApiClient(service.url, readFileSync(service.tokenFile, 'utf8').trim());
  const phases = await api.phases();

  const first = await build(api, lab.spec);
  const chain = longestChain(first.status.tasks, phases);
  const memoryMiB = rss(service, 'VmRSS');
  const again = await build(api, lab.spec);
  const sum = (status: OperationStatus, of: 'changeCount' | 'restarts') =>
    status.tasks.reduce((total, task) => total + (task[of] ?? 0), 0);
  return {
    buildMs: first.ms,
    chainMs: chain.ms,
    chain: chain.tasks,
    againMs: again.ms,
    againChanges: sum(again.status, 'changeCount'),
    againRestarts: sum(again.status, 'restarts'),
    memoryMiB,
    peakMiB: rss(service, 'VmHWM'),
  };
}

/** From the POST to the end of the operation, as a caller sees it. */
async function build(api: ApiClient, spec: unknown): Promise<{ ms: number; status: OperationStatus }> {
  const posted = performance.now();
  const { operation } = await api.request<{ operation: string }>('POST', '/clusters', spec);
  const status = await api.follow(NAME, operation);
  const ms = performance.now() - posted;
  if (status.state !== 'succeeded')
    throw new Error(`the build is ${status.state}: ${JSON.stringify(status.tasks.filter((task) => task.error))}`);
  return { ms, status };
}

/** Resident memory of API and worker together, MiB; pages that both share (Node itself) count twice. */
function rss(service: RunningService, field: 'VmRSS' | 'VmHWM'): number {
  const worker = recordedWorker(join(folder, 'data'));
  const pids = [service.pid, ...(worker ? [worker.pid] : [])];
  const kilobytes = pids.map((pid) => {
    const line = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(line?.[1] ?? 0);
  });
  return Math.round(kilobytes.reduce((sum, each) => sum + each, 0) / 1024);
}

async function cleanUp(): Promise<void> {
  await stopService(folder);
  await labDown(NAME, () => undefined);
  rmSync(folder, { recursive: true, force: true });
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function report(runs: Run[]): string {
  const row = (name: string, goal: string, value: (run: Run) => number, show: (value: number) => string) =>
    `| ${name} | ${goal} | ${show(median(runs.map(value)))} | ${runs.map((run) => show(value(run))).join(', ')} |`;
  return [
    `Measured ${new Date().toISOString().slice(0, 10)} on ${cpus().length} cores, ${runs.length} runs, each on fresh hosts, mirror warm.`,
    '',
    '| figure | goal | median | runs |',
    '| --- | --- | --- | --- |',
    row('Build of the 3-host demo cluster, POST to verified', '<= 36 s', (run) => run.buildMs, seconds),
    row('Longest chain of remote command time', '', (run) => run.chainMs, seconds),
    row(
      'Build / longest chain',
      '<= 1.25',
      (run) => run.buildMs / run.chainMs,
      (value) => value.toFixed(2),
    ),
    row('Unchanged second build', '<= 2.0 s', (run) => run.againMs, seconds),
    row('Changes in the second build', '0', (run) => run.againChanges, String),
    row('Units restarted by the second build', '0', (run) => run.againRestarts, String),
    row(
      'Memory of API + worker after the build',
      '<= 350 MiB',
      (run) => run.memoryMiB,
      (value) => `${value} MiB`,
    ),
    row(
      'Its peak',
      '<= 400 MiB',
      (run) => run.peakMiB,
      (value) => `${value} MiB`,
    ),
    '',
    `The longest chain of the last run: ${runs.at(-1)?.chain.join(' → ')}.`,
  ].join('\n');
}

const program = new Command('bench')
  .description('Measure the figures of docs/benchmarks.md on lab hosts')
  .option('--runs <n>', 'fresh builds', '3')
  .option('--write', 'put the figures into docs/benchmarks.md');
program.parse();
const options = program.opts<{ runs: string; write?: true }>();
try {
  await resolveTemporalBinary({ onProgress: say });
  const runs: Run[] = [];
  for (let index = 0; index < Number(options.runs); index += 1) {
    say(`run ${index + 1} of ${options.runs}`);
    runs.push(await once());
  }
  const text = report(runs);
  console.log(text);
  if (options.write) writeFigures('bench', text);
} finally {
  await cleanUp();
}
