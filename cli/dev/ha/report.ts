import { cpus } from 'node:os';
import type { Measured } from './measure.ts';

const HOLDER_GOAL_MS = 3_000;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((total, each) => total + each, 0);

/** What a case did not reach, in words; empty where it reached everything. */
export function missed({ case: { goalMs }, writer, inside, oneHolderMs }: Measured): string[] {
  const { kept, new: fresh } = writer.streams;
  return [
    ...(writer.missing.length > 0 ? [`${writer.missing.length} acknowledged writes are missing`] : []),
    ...(writer.open > 0 ? [`${writer.open} writes were never acknowledged`] : []),
    ...(Math.max(kept.gapMs, fresh.gapMs) > goalMs ? [`gap over ${seconds(goalMs)}`] : []),
    ...(oneHolderMs !== null && (oneHolderMs === 'never' || oneHolderMs > HOLDER_GOAL_MS)
      ? ['not one holder within 3 s']
      : []),
    ...(inside !== null && inside.failed > 0 ? ['requests of pods failed'] : []),
  ];
}

/** A line for the person who waits: everything of one case. */
export function line(measured: Measured): string {
  const { case: one, writer, inside, oneHolderMs, tookMs } = measured;
  const { kept, new: fresh } = writer.streams;
  const causes = Object.entries(writer.failures).map(([cause, count]) => `${cause} ${count}`);
  const misses = missed(measured);
  const gap = ({ gapMs, gapAt }: typeof kept) => `${seconds(gapMs)} at ${seconds(gapAt - measured.startedAt)}`;
  return [
    `${one.name}: gaps ${gap(kept)} kept, ${gap(fresh)} new (goal ${seconds(one.goalMs)})`,
    `${kept.acknowledged + fresh.acknowledged} acknowledged, ${writer.missing.length} missing, ${writer.open} open`,
    `${sum(writer.failures)} failed requests${causes.length > 0 ? ` (${causes.join(', ')})` : ''}`,
    ...(oneHolderMs === null ? [] : [`one holder after ${holder(oneHolderMs)}`]),
    ...(inside === null
      ? []
      : [`pods: ${inside.failed} of ${inside.requests} failed, longest gap ${seconds(inside.gapMs)}`]),
    `took ${seconds(tookMs)}`,
    misses.length === 0 ? 'goal reached' : `MISSED: ${misses.join(', ')}`,
  ].join('; ');
}

/** The table of docs/benchmarks.md. */
export function table(all: readonly Measured[], hosts: number): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const columns = [
    'case',
    'goal',
    'longest gap: kept connection',
    'new connections',
    'failed requests',
    'acknowledged, missing of them',
    'one holder after',
    'pods: failed requests, longest gap',
    '',
  ];
  const rows = all.map((measured) => {
    const { case: one, writer, inside, oneHolderMs } = measured;
    const { kept, new: fresh } = writer.streams;
    return row([
      one.title,
      `<= ${one.goalMs / 1000} s`,
      seconds(kept.gapMs),
      seconds(fresh.gapMs),
      String(sum(writer.failures)),
      `${kept.acknowledged + fresh.acknowledged}, ${writer.missing.length}`,
      oneHolderMs === null ? '' : holder(oneHolderMs),
      inside === null ? '' : `${inside.failed} of ${inside.requests}, ${seconds(inside.gapMs)}`,
      missed(measured).join(', ') || 'reached',
    ]);
  });
  return [
    `Measured ${new Date().toISOString().slice(0, 10)} on ${cpus().length} cores, ${hosts} hosts.`,
    '',
    row(columns),
    row(columns.map(() => '---')),
    ...rows,
  ].join('\n');
}

const holder = (ms: number | 'never'): string => (ms === 'never' ? 'never' : seconds(ms));
