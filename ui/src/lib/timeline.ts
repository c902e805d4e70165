import type { Plan } from '../../../contracts/plan.ts';
import type { TaskStatus } from '../../../contracts/status.ts';

/** One task as a bar: times in ms since the begin of the operation. */
export interface Bar {
  task: TaskStatus;
  from: number;
  /** Null: it still runs; the bar ends at the present time. */
  to: number | null;
  /** Row of tasks within its host that overlap: 0, 1, … */
  lane: number;
  critical: boolean;
}

/** A host and its bars. */
export interface Row {
  host: string;
  bars: Bar[];
  /** Lanes that its bars need, at least 1. */
  lanes: number;
}

export interface Timeline {
  rows: Row[];
  /** Time of the begin, ms since the epoch; null: nothing has begun. */
  begin: number | null;
}

type Need = Plan['phases'][number]['needs'][number];
const keyOf = (phase: string, host: string) => `${phase} ${host}`;

/**
 * The picture of an operation: hosts in the order of its tasks, one bar for each task that has begun. `needs` says what tasks wait for;
 * without a plan nothing is critical. Pure.
 */
export function timelineOf(tasks: readonly TaskStatus[], plan: Pick<Plan, 'phases'> | null): Timeline {
  const begun = tasks.filter((task) => task.startedAt !== undefined);
  let begin: number | null = null;
  for (const { startedAt } of begun) begin = Math.min(begin ?? Number.POSITIVE_INFINITY, Date.parse(startedAt!));
  const critical = criticalPath(begun, plan);
  const rows: Row[] = [...Map.groupBy(tasks, ({ host }) => host)].map(([host, own]) => {
    const ends: number[] = [];
    const bars = own
      .filter((task) => task.startedAt !== undefined)
      .map((task) => {
        const from = Date.parse(task.startedAt!) - begin!;
        return {
          task,
          from,
          to: task.endedAt === undefined ? null : Math.max(from, Date.parse(task.endedAt) - begin!),
        };
      })
      .sort((a, b) => a.from - b.from)
      .map((bar) => {
        let lane = ends.findIndex((end) => end <= bar.from);
        if (lane < 0) lane = ends.length;
        ends[lane] = bar.to ?? Number.POSITIVE_INFINITY;
        return { ...bar, lane, critical: critical.has(keyOf(bar.task.phase, bar.task.host)) };
      });
    return { host, bars, lanes: Math.max(1, ends.length) };
  });
  return { rows, begin };
}

/**
 * Tasks of the chain that determined the present end: from the task that ended last, or still runs since longest, back to what it waited for
 * last, of the same host or of the hosts that its need names. Pure.
 */
export function criticalPath(tasks: readonly TaskStatus[], plan: Pick<Plan, 'phases'> | null): Set<string> {
  const path = new Set<string>();
  if (!plan) return path;
  const phases = new Map(plan.phases.map((phase) => [phase.name, phase]));
  const byPhase = Map.groupBy(tasks, ({ phase }) => phase);
  const end = (task: TaskStatus) => (task.endedAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(task.endedAt));
  const waitedFor = (task: TaskStatus, { phase, on }: Need): TaskStatus[] => {
    const found = (byPhase.get(phase) ?? []).filter((each) => end(each) <= Date.parse(task.startedAt!));
    if (on === 'same-host') return found.filter(({ host }) => host === task.host);
    const ordered = found.sort((a, b) => end(a) - end(b));
    const size = phases.get(phase)?.hosts.length ?? ordered.length;
    // The one that met the need: the first of any, the majority's last, the last of all.
    const place = on === 'any-host' ? 0 : on === 'quorum' ? Math.floor(size / 2) : ordered.length - 1;
    return ordered.slice(place, place + 1);
  };
  let last: TaskStatus | undefined;
  for (const task of tasks) {
    if (!last || end(task) > end(last) || (end(task) === end(last) && task.startedAt! < last.startedAt!)) last = task;
  }
  while (last && !path.has(keyOf(last.phase, last.host))) {
    path.add(keyOf(last.phase, last.host));
    const task: TaskStatus = last;
    last = undefined;
    for (const need of phases.get(task.phase)?.needs ?? []) {
      for (const each of waitedFor(task, need)) if (!last || end(each) > end(last)) last = each;
    }
  }
  return path;
}

/**
 * Expected rest of an operation, ms: for each host the tasks of it that are not over, one after the other, at the mean duration of tasks of
 * their phase that have ended; a phase without any counts with `expectedMs` of the plan. The host with the most decides. Null: no plan, or it is over. Pure.
 */
export function expectedRest(
  tasks: readonly TaskStatus[],
  plan: Pick<Plan, 'phases'> | null,
  now: number,
): number | null {
  if (!plan) return null;
  const sums = new Map<string, { ms: number; count: number }>();
  for (const { phase, state, startedAt, endedAt } of tasks) {
    if (state !== 'succeeded' || startedAt === undefined || endedAt === undefined) continue;
    const sum = sums.get(phase) ?? { ms: 0, count: 0 };
    sums.set(phase, { ms: sum.ms + Date.parse(endedAt) - Date.parse(startedAt), count: sum.count + 1 });
  }
  const expected = new Map(
    plan.phases.map(({ name, expectedMs }) => {
      const sum = sums.get(name);
      return [name, sum ? sum.ms / sum.count : expectedMs];
    }),
  );
  const left = new Map<string, number>();
  for (const { phase, host, state, startedAt } of tasks) {
    if (state !== 'pending' && state !== 'running') continue;
    const spent = state === 'running' && startedAt !== undefined ? now - Date.parse(startedAt) : 0;
    left.set(host, (left.get(host) ?? 0) + Math.max(0, (expected.get(phase) ?? 0) - spent));
  }
  return left.size === 0 ? null : Math.max(...left.values());
}
