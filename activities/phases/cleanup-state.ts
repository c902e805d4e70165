import type { ClusterState } from './cluster-state.ts';

/** Names of notes of a cluster (store/cluster-state.ts). */
export const CLEANUP_KEY = 'settled/';
const SPEC = `${CLEANUP_KEY}spec`;
const cleanupKey = (phase: string, host: string): string => `${CLEANUP_KEY}${phase}/${host}`;

/** The desired state that was planned last. */
export interface PlannedState {
  /** Digest of everything that the desired state depends on. */
  digest: string;
  /** The operation that planned it first: the same state planned anew after another one is another generation. */
  generation: string;
  /** No other state was planned before it: there is nothing of an earlier one to take away. */
  first: boolean;
}

/** What notes (`list` of `CLEANUP_KEY`) say of the state that was planned last; null when none was. */
export function plannedState(clusterState: ReadonlyMap<string, string>): PlannedState | null {
  const [digest = '', generation = '', first] = (clusterState.get(SPEC) ?? '').split(' ');
  return digest === '' ? null : { digest, generation, first: first === 'first' };
}

export const writePlannedState = (clusterState: Pick<ClusterState, 'set'>, state: PlannedState): Promise<void> =>
  clusterState.set(SPEC, [state.digest, state.generation, ...(state.first ? ['first'] : [])].join(' '));

/** Has the closing phase succeeded on this host since the state was planned first? */
export const isCleanedUp = (
  clusterState: ReadonlyMap<string, string>,
  { generation, first }: PlannedState,
  task: { phase: string; host: string },
): boolean => first || clusterState.get(cleanupKey(task.phase, task.host)) === generation;

/** A closing phase succeeded on a host: with the state that is planned now, nothing is left to take away there. */
export async function recordCleanup(clusterState: ClusterState, phase: string, host: string): Promise<void> {
  const state = plannedState(new Map([[SPEC, (await clusterState.get(SPEC)) ?? '']]));
  if (state) await clusterState.set(cleanupKey(phase, host), state.generation);
}
