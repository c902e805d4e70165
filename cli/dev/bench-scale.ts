import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Command, InvalidArgumentError } from 'commander';
import { LIMITS } from '../../contracts/limits.ts';
import { workflowBundlePath } from '../../worker/bundle.ts';
import { resolveTemporalBinary } from '../../worker/temporal-server/resolve.ts';
import { writeFigures } from './bench-page.ts';
import type { SimulationOptions, SimulationResult } from './scale/simulation.ts';

/**
 * `npm run bench:scale`: what a thousand hosts cost the service, on hosts that exist in memory only. Everything else is
 * real. Builds a small cluster at the same concurrency first, to compare the time per task.
 */
const GOALS = { events: 4096, rssBytes: 1e9, ratio: 2 } as const;
const SMALL = 10;

const say = (line: string) => process.stderr.write(`bench:scale: ${line}\n`);

async function run(options: SimulationOptions): Promise<SimulationResult> {
  const script = join(import.meta.dirname, 'scale/main.ts');
  const child = spawn(process.execPath, [script, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close') as Promise<[number | null]>]);
  if (code !== 0) throw new Error(`the simulation ended with ${code}`);
  const result = JSON.parse(output) as SimulationResult;
  if (result.state !== 'succeeded') throw new Error(`the simulated build is ${result.state}`);
  return result;
}

/** Time of one slot per task: what a task costs when as many run as may. */
const slotMs = ({ wallMs, concurrency, tasks }: SimulationResult): number => (wallMs * concurrency) / tasks;
const MiB = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
const KiB = (bytes: number): string => `${Math.round(bytes / 1024)} KiB`;
const whole = (value: number): string => Math.round(value).toLocaleString('en');

function report(small: SimulationResult, large: SimulationResult): string {
  const row = (name: string, goal: string, show: (result: SimulationResult) => string) =>
    `| ${name} | ${goal} | ${show(small)} | ${show(large)} |`;
  const { commandsPerTask, latencyMs, concurrency } = large;
  return [
    `Measured ${new Date().toISOString().slice(0, 10)} on ${cpus().length} cores: ${concurrency} tasks at once, ` +
      `${commandsPerTask} commands of ${latencyMs} ms per task, Temporal's dev server on the same machine.`,
    '',
    `| figure | goal | ${small.hosts} hosts | ${large.hosts} hosts |`,
    '| --- | --- | --- | --- |',
    row('Tasks', '', ({ tasks }) => whole(tasks)),
    row('Wall time, POST to the end', '', ({ wallMs }) => `${(wallMs / 1000).toFixed(1)} s`),
    row('Tasks per second', '', ({ tasks, wallMs }) => (tasks / (wallMs / 1000)).toFixed(1)),
    row('Time per task: wall time × tasks at once / tasks', '', (result) => `${whole(slotMs(result))} ms`),
    `| The same, against ${small.hosts} hosts | <= ${GOALS.ratio} | | ${(slotMs(large) / slotMs(small)).toFixed(2)} |`,
    row("Mean time from a task's start to its end", '', ({ meanTaskMs }) => `${whole(meanTaskMs)} ms`),
    `| The same, against ${small.hosts} hosts | <= ${GOALS.ratio} | | ${(large.meanTaskMs / small.meanTaskMs).toFixed(2)} |`,
    row(
      'Largest history',
      `<= ${whole(GOALS.events)} events`,
      ({ workflows }) => `${whole(workflows[0]!.events)} events`,
    ),
    row('Its size', '< 4 MiB', ({ workflows }) => KiB(Math.max(...workflows.map(({ bytes }) => bytes)))),
    row('Workflows', '', ({ workflows }) => String(workflows.length)),
    row('Events of all of them', '', ({ workflows }) => whole(workflows.reduce((sum, { events }) => sum + events, 0))),
    row('Peak memory of API + worker', '< 1 GB', ({ peakRssBytes }) => MiB(peakRssBytes)),
    row('CPU time of API + worker per task', '', ({ cpuMs, tasks }) => `${(cpuMs / tasks).toFixed(1)} ms`),
    row(
      'GET of the operation with its first 1,000 tasks',
      '',
      ({ statusMs, statusBytes }) => `${whole(statusMs)} ms, ${KiB(statusBytes)}`,
    ),
    row('Pages of the other tasks', '', ({ pagesMs }) => `${whole(pagesMs)} ms`),
    row('The slowest one while it ran', '', ({ slowestStatusMs }) => `${whole(slowestStatusMs)} ms`),
  ].join('\n');
}

/** What the goals say of a run, as lines; empty when all are met. */
function misses(small: SimulationResult, large: SimulationResult): string[] {
  const largest = large.workflows[0]!;
  return [
    ...(largest.events > GOALS.events ? [`${largest.workflowId} has ${largest.events} events`] : []),
    ...(large.peakRssBytes >= GOALS.rssBytes ? [`peak memory ${MiB(large.peakRssBytes)}`] : []),
    ...(slotMs(large) > GOALS.ratio * slotMs(small) ? [`a task takes ${whole(slotMs(large))} ms of a slot`] : []),
    ...(large.meanTaskMs > GOALS.ratio * small.meanTaskMs ? [`a task takes ${whole(large.meanTaskMs)} ms`] : []),
  ];
}

function wholeNumber(from: number, to: number) {
  return (given: string): number => {
    const value = Number(given);
    if (!Number.isInteger(value) || value < from || value > to) {
      throw new InvalidArgumentError(`a whole number from ${from} to ${to}`);
    }
    return value;
  };
}

const program = new Command('bench:scale')
  .description('Build a cluster of simulated hosts, and compare it with a small one')
  .option('--hosts <n>', 'simulated hosts', wholeNumber(SMALL, LIMITS.hostsPerCluster), 1000)
  .option(
    '--concurrency <n>',
    `tasks at once; ${SMALL} hosts cannot keep more than about ${SMALL} busy`,
    wholeNumber(1, LIMITS.maxParallelTasks),
    SMALL,
  )
  .option('--commands <n>', 'commands per task', wholeNumber(1, 1000), 5)
  .option('--latency <ms>', 'time of one command', wholeNumber(0, 600_000), 20)
  .option('--json', 'both results as JSON')
  .option('--write', 'put the figures into docs/benchmarks.md');
program.parse();
const options = program.opts<{
  hosts: number;
  concurrency: number;
  commands: number;
  latency: number;
  json?: true;
  write?: true;
}>();
await resolveTemporalBinary({ onProgress: say });
await workflowBundlePath({ onProgress: say });
const shape = {
  concurrency: options.concurrency,
  commandsPerTask: options.commands,
  latencyMs: options.latency,
};
const small = await run({ ...shape, hosts: SMALL });
const large = await run({ ...shape, hosts: options.hosts });
const page = report(small, large);
console.log(options.json ? JSON.stringify({ small, large }, null, 2) : page);
if (options.write) writeFigures('bench:scale', page);
const missed = misses(small, large);
for (const line of missed) say(`goal missed: ${line}`);
process.exitCode = missed.length > 0 ? 1 : 0;
