import { styleText } from 'node:util';
import type { OperationStatus, TaskStatus } from '../../contracts/operation.ts';

/** What the display needs of GET /phases. */
export interface PhaseTiming {
  name: string;
  title: string;
  needs: { phase: string; on: string }[];
  expectedMs: number;
}

const MARKS: Record<TaskStatus['state'], string> = {
  pending: '·',
  running: '▶',
  blocked: '✖',
  succeeded: '✔',
  failed: '✖',
  cancelled: '-',
  skipped: '-',
};
const COLOURS: Record<TaskStatus['state'], Parameters<typeof styleText>[0]> = {
  pending: 'dim',
  running: 'cyan',
  blocked: 'red',
  succeeded: 'green',
  failed: 'red',
  cancelled: 'dim',
  skipped: 'yellow',
};

/**
 * Expected rest of an operation, ms: the longest chain of unfinished phases, each with what is left of its expected
 * duration. A phase that already took longer than expected counts as nearly done.
 */
export function expectedRestMs(status: OperationStatus, phases: readonly PhaseTiming[], now: number): number {
  const byName = new Map(phases.map((phase) => [phase.name, phase]));
  const leftOf = (name: string): number => {
    const tasks = status.tasks.filter((task) => task.phase === name);
    const expected = byName.get(name)?.expectedMs ?? 0;
    return Math.max(
      0,
      ...tasks.map((task) => {
        if (task.state === 'succeeded' || task.state === 'failed' || task.state === 'cancelled') return 0;
        if (task.state !== 'running' || !task.startedAt) return expected;
        return Math.max(expected - (now - Date.parse(task.startedAt)), expected * 0.05);
      }),
    );
  };
  const memo = new Map<string, number>();
  const chain = (name: string): number => {
    const known = memo.get(name);
    if (known !== undefined) return known;
    memo.set(name, 0);
    const before = Math.max(0, ...(byName.get(name)?.needs ?? []).map((need) => chain(need.phase)));
    const total = before + leftOf(name);
    memo.set(name, total);
    return total;
  };
  return Math.max(0, ...phases.map((phase) => chain(phase.name)));
}

/** `1:05`, `0:09`. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** The table phase × host as lines of text. */
export function progressTable(status: OperationStatus, phases: readonly PhaseTiming[], now: number): string[] {
  const hosts = [...new Set(status.tasks.map((task) => task.host))];
  const names = phases.map((phase) => phase.name).filter((name) => status.tasks.some((task) => task.phase === name));
  const nameWidth = Math.max(12, ...names.map((name) => name.length + 2));
  const width = Math.max(10, ...hosts.map((host) => host.length + 2));
  const started = status.startedAt ? Date.parse(status.startedAt) : now;
  const done = status.tasks.filter((task) => task.state === 'succeeded').length;
  const lines = [`${''.padEnd(nameWidth)}${hosts.map((host) => host.padEnd(width)).join('')}`];
  for (const name of names) {
    const cells = hosts.map((host) => {
      const task = status.tasks.find((each) => each.phase === name && each.host === host);
      if (!task) return ''.padEnd(width);
      const begun = task.startedAt ? Date.parse(task.startedAt) : now;
      const ended = task.endedAt ? Date.parse(task.endedAt) : now;
      const time = task.state === 'pending' ? '' : ` ${((ended - begun) / 1000).toFixed(1)}s`;
      return styleText(COLOURS[task.state], `${MARKS[task.state]}${time}`.padEnd(width));
    });
    lines.push(`${name.padEnd(nameWidth)}${cells.join('')}`);
  }
  const running = status.tasks
    .filter((task) => task.state === 'running')
    .map((task) => `${task.phase} on ${task.host}`);
  lines.push(
    '',
    `${status.state}: ${done}/${status.tasks.length} tasks, ${clock(now - started)} elapsed, about ` +
      `${clock(expectedRestMs(status, phases, now))} to go`,
    running.length > 0 ? `now: ${running.slice(0, 4).join(', ')}${running.length > 4 ? ', ...' : ''}` : '',
  );
  return lines;
}

/** The health with which an operation ended: one line, and one for each reason with its evidence. */
export function healthLines(health: OperationStatus['health']): string[] {
  if (!health) return [];
  const more = health.reasonCount - health.reasons.length;
  return [
    `health: ${health.state}`,
    ...health.reasons.map(({ code, reason, evidence }) => `  ${code}: ${reason}${evidence ? ` (${evidence})` : ''}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

/** Draws the table in place on a terminal; elsewhere prints one line per change of a task. */
export class ProgressDisplay {
  readonly #out: NodeJS.WriteStream;
  readonly #seen = new Map<string, string>();
  #drawn = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  show(status: OperationStatus, phases: readonly PhaseTiming[]): void {
    const now = Date.now();
    if (this.#out.isTTY) {
      const lines = progressTable(status, phases, now);
      if (this.#drawn > 0) this.#out.write(`\x1b[${this.#drawn}A\x1b[0J`);
      this.#out.write(`${lines.join('\n')}\n`);
      this.#drawn = lines.length;
      return;
    }
    const started = status.startedAt ? Date.parse(status.startedAt) : now;
    for (const task of status.tasks) {
      const key = `${task.phase}/${task.host}`;
      const state = `${task.state}#${task.attempt}`;
      if (task.state === 'pending' || this.#seen.get(key) === state) continue;
      this.#seen.set(key, state);
      const cause = task.error ? ` ${task.error.code}: ${task.error.message}` : '';
      this.#out.write(
        `  [${clock(now - started)}, about ${clock(expectedRestMs(status, phases, now))} to go] ` +
          `${task.phase} on ${task.host}: ${task.state}${cause}\n`,
      );
    }
  }
}
