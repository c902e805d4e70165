import { isHostFault, type Point } from './points.ts';
import type { CaseOutcome } from './run.ts';

/** `reboot`, `worker + link on worker-2`. */
function faultWords({ fault, also }: Point): string {
  if (!also) return fault;
  return `${fault} + ${also.fault}${isHostFault(also.fault) ? ` on ${also.host}` : ''}`;
}

/** One line per case: case, point, fault, what was running, recovery time; then the decisions of the builds. */
export function outcomeTable(outcomes: readonly CaseOutcome[]): string {
  const rows = outcomes
    .flatMap(({ build }) => build.struck)
    .sort((a, b) => a.point.number - b.point.number)
    .map(({ point, running, struckAt, overAt, recoveryMs }) => [
      String(point.number),
      `${point.side} of ${point.phase} on ${point.host} #${point.seq}`,
      faultWords(point),
      `${((overAt - struckAt) / 1000).toFixed(1)} s`,
      recoveryMs === null ? 'nothing left to do' : `${(recoveryMs / 1000).toFixed(1)} s`,
      running.length > 3 ? `${running.slice(0, 3).join(', ')} and ${running.length - 3} more` : running.join(', '),
    ]);
  const head = ['case', 'point', 'fault', 'lasted', 'next command', 'running'];
  const widths = head.map((name, at) => Math.max(name.length, ...rows.map((row) => row[at]!.length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join('  ')
      .trimEnd();
  const decisions = outcomes
    .flatMap(({ build }) => build.decided)
    .map(({ host, action, codes }) => `decision: ${action} ${host} after ${codes.join(', ')}`);
  return [line(head), ...rows.map(line), ...decisions].join('\n');
}
