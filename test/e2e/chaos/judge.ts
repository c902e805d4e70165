import { createHash } from 'node:crypto';
import { scriptInput } from '../../../activities/host/ssh-host.ts';
import { apt } from '../../../activities/resources/apt.ts';
import type { CompletedTask } from './evidence.ts';
import type { Row } from './journal.ts';

/**
 * No command runs more than once after it had succeeded. In the words of the journal:
 * 1. A task that Temporal recorded as completed never runs again: none of its commands begins after that moment, and
 *    none belongs to a later attempt than the completed one.
 * 2. Within a task that is attempted again, what changes the host and whose success is recorded is not done again.
 *    What only looks (probes, verification) may be asked as often as wanted: that is how a repeated attempt finds out
 *    what is left to do.
 */
export function repeatedAfterSuccess(rows: readonly Row[], completed: readonly CompletedTask[]): string[] {
  return [...afterCompletion(rows, completed), ...changedTwice(rows)];
}

function afterCompletion(rows: readonly Row[], completed: readonly CompletedTask[]): string[] {
  const byActivity = new Map(completed.map((task) => [task.activityId, task]));
  const ends = new Map<string, { at: number; activityId: string }>();
  for (const row of rows) {
    const task = byActivity.get(row.activityId);
    if (task) ends.set(taskOf(row), { at: task.completedAt, activityId: row.activityId });
  }
  return rows
    .filter((row) => {
      const end = ends.get(taskOf(row));
      if (!end) return false;
      const later = row.activityId === end.activityId && row.attempt > byActivity.get(row.activityId)!.attempt;
      return later || Date.parse(row.startedAt) > end.at;
    })
    .map((row) => `${nameOf(row)} began after the task was done`);
}

function changedTwice(rows: readonly Row[]): string[] {
  const succeeded = new Map<string, Row>();
  const twice: string[] = [];
  for (const row of rows) {
    for (const change of changesOf(row)) {
      const key = `${taskOf(row)}: ${change}`;
      const before = succeeded.get(key);
      const again = before && (before.attempt !== row.attempt || before.activityId !== row.activityId);
      if (again) twice.push(`${nameOf(row)} does again what ${nameOf(before)} had done: ${change}`);
      if (row.exitCode === 0 && row.error === null) succeeded.set(key, row);
    }
  }
  return twice;
}

const KUBECTL_CHANGES = ['apply', 'create', 'patch', 'label', 'annotate', 'taint', 'delete', 'cordon', 'drain'];
/** As the host gets it, and the journal records it. */
const APT_SHA256 = createHash('sha256').update(scriptInput(apt.install)).digest('hex');

/** What a command changes on its host, one name per thing; empty for what only looks. */
export function changesOf(row: Row): string[] {
  const { kind, argv } = row;
  if (kind === 'upload') return [`upload ${argv[1]}`];
  if (kind === 'script' && row.stdinSha256 === APT_SHA256) return [`packages ${argv.slice(4).join(' ')}`];
  // `markVerified`; probes name the stamp too, and write nothing.
  const [stamp = '', digest = ''] = argv.slice(-2);
  if (kind === 'script' && stamp.includes('/stamps/verified.') && /^[0-9a-f]{64}$/.test(digest))
    return [`${stamp} ${digest}`];
  // A batch says each of its steps; forgetting stamps is the first of every batch.
  if (argv[0] === 'sh' && argv.at(-1) === 'kubewright') {
    const steps = [...(argv[2] ?? '').matchAll(/^kw_step (.+)$/gm)].map((found) => found[1]!);
    return steps.filter((step) => step !== 'stamps' && step !== "'stamps'");
  }
  const kubectl = argv.findIndex((word) => word.endsWith('/kubectl'));
  const verb = argv[kubectl + 1];
  return kubectl >= 0 && verb !== undefined && KUBECTL_CHANGES.includes(verb)
    ? [argv.slice(kubectl + 1).join(' ')]
    : [];
}

/** Numbers missing from an attempt's commands: each counts from 1 without a gap, on however many hosts it runs them. */
export function missingNumbers(rows: readonly Row[]): string[] {
  const attempts = new Map<string, number[]>();
  for (const row of rows) {
    const key = `${row.phase}, attempt ${row.attempt} of activity ${row.activityId}`;
    attempts.set(key, [...(attempts.get(key) ?? []), row.seq]);
  }
  return [...attempts].flatMap(([attempt, numbers]) =>
    [...numbers]
      .sort((a, b) => a - b)
      .flatMap((seq, at) => (seq === at + 1 ? [] : [`${attempt}: ${seq} at place ${at + 1}`])),
  );
}

/** Commands without an end that no killed worker explains. `kills`: when workers died, ms since the epoch. */
export function unexplainedGaps(rows: readonly Row[], kills: readonly number[]): string[] {
  return rows
    .filter((row) => row.endedAt === null)
    .filter((row) => !kills.some((at) => Date.parse(row.startedAt) <= at))
    .map((row) => `${nameOf(row)} has no end, and no worker was killed after its begin`);
}

const taskOf = ({ phase, host }: Row): string => `${phase} on ${host}`;
const nameOf = (row: Row): string =>
  `${taskOf(row)} #${row.seq} (attempt ${row.attempt}, ${row.startedAt}, ${row.argv.join(' ').replace(/\s+/g, ' ').slice(0, 60)})`;
