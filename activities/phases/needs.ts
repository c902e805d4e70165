import type { Need } from '../../contracts/plan.ts';
import type { Phase } from './phase.ts';

/**
 * What a phase's tasks wait for among these phases: what it names; of a closing phase also every other phase that does not
 * wait for it, on the same host, or once where that phase has one task for the cluster. Pure.
 */
export function needsOf(phase: Phase, among: readonly Phase[]): Need[] {
  if (!phase.closing) return [...phase.needs];
  const named = new Set(phase.needs.map((need) => need.phase));
  const waiting = waitingFor(phase.name, among);
  const others = among.filter(
    ({ name, operations }) => operations === undefined && !named.has(name) && !waiting.has(name),
  );
  const own = (other: Phase): Need => ({
    phase: other.name,
    on: isOnEachHost(other) && isOnEachHost(phase) ? 'same-host' : 'every-host',
  });
  return [...phase.needs, ...others.map(own)];
}

const isOnEachHost = ({ hosts }: Phase): boolean => hosts !== 'one-control-plane' && hosts !== 'controller';

/** The phase, and all that need it, straight or by others. */
function waitingFor(name: string, among: readonly Phase[]): Set<string> {
  const found = new Set([name]);
  for (let size = 0; size !== found.size; ) {
    size = found.size;
    for (const phase of among) if (phase.needs.some((need) => found.has(need.phase))) found.add(phase.name);
  }
  return found;
}
