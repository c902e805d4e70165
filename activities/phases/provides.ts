import type { Need } from '../../contracts/plan.ts';
import type { Phase } from './phase.ts';

/** The capabilities that others find in a phase; by default its own name. */
export const providesOf = ({ name, provides }: Pick<Phase, 'name' | 'provides'>): readonly string[] =>
  provides ?? [name];

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
