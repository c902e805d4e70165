import type { Need } from '../../contracts/plan.ts';
import type { Phase } from './phase.ts';
import { resolveNeeds } from './provides.ts';

/**
 * What a phase's tasks wait for among these phases: what it names; of a closing phase also every other phase that does not
 * wait for it, on the same host, or once where that phase has one task for the cluster. `providers`: the phases that
 * capabilities are resolved to, by default these. Pure.
 */
export function needsOf(phase: Phase, among: readonly Phase[], providers: readonly Phase[] = among): Need[] {
  const needs = resolveNeeds(phase, providers);
  if (!phase.closing) return needs;
  const named = new Set(needs.map((need) => need.phase));
  const waiting = waitingFor(phase.name, among, providers);
  const others = among.filter(({ name, onDemand }) => !onDemand && !named.has(name) && !waiting.has(name));
  const own = (other: Phase): Need => ({
    phase: other.name,
    on: isOnEachHost(other) && isOnEachHost(phase) ? 'same-host' : 'every-host',
  });
  return [...needs, ...others.map(own)];
}

const isOnEachHost = ({ hosts }: Phase): boolean => hosts !== 'one-control-plane' && hosts !== 'controller';

/** The phase, and all that need it, straight or by others. */
function waitingFor(name: string, among: readonly Phase[], providers: readonly Phase[]): Set<string> {
  const found = new Set([name]);
  const needs = new Map(among.map((phase) => [phase.name, resolveNeeds(phase, providers)]));
  for (let size = 0; size !== found.size; ) {
    size = found.size;
    for (const [each, own] of needs) if (own.some((need) => found.has(need.phase))) found.add(each);
  }
  return found;
}
