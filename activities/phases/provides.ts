import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { Need } from '../../contracts/plan.ts';
import type { Capability } from './capability.ts';
import type { Phase } from './phase.ts';

/** The capabilities that others find in a phase; by default its own name. */
export const providesOf = ({ name, provides }: Pick<Phase, 'name' | 'provides'>): readonly string[] =>
  provides ?? [name];

/** The declared capabilities that phases offer something for, by name. Pure. */
export const offeredCapabilities = (phases: readonly Phase[]): ReadonlyMap<string, Capability> =>
  new Map(phases.flatMap(({ offers = [] }) => offers.map(({ capability }) => [capability.name, capability])));

/** Names of the capabilities of which a cluster has one provider, or at most one. Pure. */
export function choicesOf(phases: readonly Phase[]): string[] {
  const names = new Set(phases.map(({ name }) => name));
  const declared = offeredCapabilities(phases);
  const provided = new Set(phases.flatMap(({ provides = [] }) => provides));
  return [...provided]
    .filter((each) => (declared.has(each) ? declared.get(each)!.choice !== undefined : !names.has(each)))
    .sort();
}

/**
 * A default provider of a choice, as a phase that is off where the spec names another provider and does not name this one. Other
 * phases as they are. Pure.
 */
export function yieldToNamed(phase: Phase, phases: readonly Phase[]): Phase {
  if (phase.optional !== true) return phase;
  const choices = choicesOf(phases).filter((name) => providesOf(phase).includes(name));
  const others = phases.filter(
    (other) => other.optional === 'when-named' && providesOf(other).some((name) => choices.includes(name)),
  );
  if (others.length === 0) return phase;
  const isNamed = ({ spec }: ClusterSpec, { name }: Phase) => Object.hasOwn(spec.phases, name);
  const isOn = (cluster: ClusterSpec, other: Phase) =>
    isNamed(cluster, other) && cluster.spec.phases[other.name]!['enabled'] !== false;
  return {
    ...phase,
    enabled: (cluster, options) =>
      (isNamed(cluster, phase) || !others.some((other) => isOn(cluster, other))) &&
      (phase.enabled?.(cluster, options) ?? true),
  };
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
