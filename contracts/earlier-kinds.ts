import type { OperationEffect, OperationTraits } from './operation-traits.ts';

/**
 * What earlier versions left in requests, histories and databases. They knew the kinds by name: their operations carry no traits,
 * and a check was a kind of its own. Nothing is added here: a kind of today is one file in activities/operations/kinds/.
 * Zod-free: workflows import it.
 */

const BUILDS: OperationTraits = {
  effect: 'builds',
  clusterStates: { running: 'building', failed: 'failed', stopped: 'incomplete' },
};

const TRAITS: ReadonlyMap<string, OperationTraits> = new Map([
  ['build', BUILDS],
  ['check', BUILDS],
  [
    'heal',
    {
      effect: 'repairs',
      targets: 'quarantined',
      // What a heal does not bring back was out before.
      clusterStates: { running: 'building', failed: 'degraded', stopped: 'degraded' },
    },
  ],
  ['teardown', { effect: 'removes', clusterStates: { running: 'removing', failed: 'failed', stopped: 'incomplete' } }],
]);

/** Names of kinds that requests and stored operations may still have, and what they stand for. */
export const KIND_ALIASES: ReadonlyMap<string, { kind: string; mode: 'check' }> = new Map([
  ['check', { kind: 'build', mode: 'check' }],
]);

/** Every kind that an earlier version wrote, with its traits. */
export const EARLIER_KINDS: Iterable<readonly [kind: string, traits: OperationTraits]> = TRAITS;

/** The traits that an operation carries; of one that an earlier version began, those of its kind then. */
export const traitsOf = ({ kind, traits }: { kind: string; traits?: OperationTraits | undefined }): OperationTraits =>
  traits ?? TRAITS.get(kind) ?? { ...BUILDS, effect: 'none' };

/** The effect that a task carries; of a task that an earlier version scheduled, that of its kind then. */
export const effectOf = ({ kind, effect }: { kind: string; effect?: OperationEffect | undefined }): OperationEffect =>
  effect ?? traitsOf({ kind }).effect;
