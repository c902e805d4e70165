import type { Need } from '../../contracts/plan.ts';
import type { Capability } from './capability.ts';
import type { Phase } from './phase.ts';

/** The capabilities that others find in a phase; by default its own name. */
export const providesOf = ({ name, provides }: Pick<Phase, 'name' | 'provides'>): readonly string[] =>
  provides ?? [name];

/** The declared capabilities that phases offer something for, by name. Pure. */
export const offeredCapabilities = (phases: readonly Phase[]): ReadonlyMap<string, Capability> =>
  new Map(phases.flatMap(({ offers = [] }) => offers.map(({ capability }) => [capability.name, capability])));

/** Names of the capabilities of which a cluster has exactly one provider. Pure. */
export function choicesOf(phases: readonly Phase[]): string[] {
  const names = new Set(phases.map(({ name }) => name));
  const declared = offeredCapabilities(phases);
  const provided = new Set(phases.flatMap(({ provides = [] }) => provides));
  return [...provided].filter((each) => declared.get(each)?.choice ?? (!declared.has(each) && !names.has(each))).sort();
}

/**
 * Needs with each capability replaced by the phases among `providers` that provide it; a phase's name stands for the phase
 * itself. A need without a provider there stays as it is written. Pure.
 */
export function resolveNeeds(phase: Pick<Phase, 'needs'>, providers: readonly Phase[]): Need[] {
  return phase.needs.flatMap((need) => {
    const found = providers.filter(({ name, provides }) => name !== need.phase && provides?.includes(need.phase));
    return found.length > 0 ? found.map(({ name }) => ({ ...need, phase: name })) : [need];
  });
}
