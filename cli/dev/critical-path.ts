import type { TaskStatus } from '../../contracts/operation.ts';
import type { PhaseTiming } from './progress.ts';

/** One chain of tasks that each waited for the one before, and the remote command time along it, ms. */
export interface Chain {
  ms: number;
  tasks: string[];
}

/**
 * The longest chain of remote command time through the task graph: what a build would take if everything but the
 * commands on the hosts cost nothing. Tasks without `commandMs` count as 0.
 */
export function longestChain(tasks: readonly TaskStatus[], phases: readonly PhaseTiming[]): Chain {
  const needs = new Map(phases.map((phase) => [phase.name, phase.needs]));
  const memo = new Map<string, Chain>();
  const chainTo = (task: TaskStatus): Chain => {
    const key = `${task.phase} on ${task.host}`;
    const known = memo.get(key);
    if (known) return known;
    const before = (needs.get(task.phase) ?? []).flatMap((need) => {
      const of = tasks.filter((each) => each.phase === need.phase);
      if (need.on === 'same-host') return of.filter((each) => each.host === task.host);
      if (need.on === 'every-host') return of;
      // A quorum or any host: the fastest ones are what was waited for.
      const sorted = of.map((each) => ({ each, ms: chainTo(each).ms })).sort((a, b) => a.ms - b.ms);
      const enough = need.on === 'any-host' ? 1 : Math.floor(of.length / 2) + 1;
      return sorted.slice(0, enough).map(({ each }) => each);
    });
    const longest = before
      .map(chainTo)
      .reduce<Chain>((best, each) => (each.ms > best.ms ? each : best), { ms: 0, tasks: [] });
    const chain = { ms: longest.ms + (task.commandMs ?? 0), tasks: [...longest.tasks, key] };
    memo.set(key, chain);
    return chain;
  };
  return tasks.map(chainTo).reduce<Chain>((best, each) => (each.ms > best.ms ? each : best), { ms: 0, tasks: [] });
}
