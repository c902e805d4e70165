import { createHash } from 'node:crypto';
import { traitsOf } from '../../contracts/earlier-kinds.ts';
import type { OperationInput } from '../../contracts/operation.ts';
import type { Plan } from '../../contracts/plan.ts';
import type { ClusterStateStore } from '../../store/cluster-state.ts';
import {
  CLEANUP_KEY,
  isCleanedUp,
  type PlannedState,
  plannedState,
  writePlannedState,
} from '../phases/cleanup-state.ts';
import { clusterStateOf } from '../phases/cluster-state.ts';
import type { Phase } from '../phases/phase.ts';

/** Raised when phases desire something else of the same spec, so that every host is cleaned up once more. */
const DESIRED_STATE_VERSION = 1;

/**
 * The plan without the tasks of closing phases that have nothing to do: the desired state is the one with which they
 * succeeded last on their hosts. So an unchanged build asks no host what is to be taken away. In mode `apply` a new desired
 * state is noted before any host is changed; a build that fails half-way is cleaned up after by the next one. A cluster's
 * first state has nothing to take away; one that an earlier version built, without these notes, is cleaned up once.
 */
export async function withoutCleanHosts(
  plan: Plan,
  input: OperationInput,
  deps: { clusterState: ClusterStateStore; phases: ReadonlyMap<string, Phase> },
): Promise<Plan> {
  const { effect } = traitsOf(input);
  if (effect !== 'builds' && effect !== 'repairs') return plan;
  const closing = plan.phases.filter(({ name }) => deps.phases.get(name)?.closing);
  const clusterState = clusterStateOf(deps.clusterState, input.cluster, plan.mode);
  const known = await clusterState.list(CLEANUP_KEY);
  const digest = digestOf(plan.specRef, deps.phases);
  const last = plannedState(known);
  let state: PlannedState;
  if (last?.digest === digest) state = last;
  else {
    const first = last === null && (await clusterState.list('')).size === 0;
    state = { digest, generation: input.operationId, first };
    await writePlannedState(clusterState, state);
  }
  if (closing.length === 0) return plan;
  const phases = plan.phases.map((phase) => {
    if (!closing.includes(phase)) return phase;
    const standIns = phase.standIns ?? [];
    // One task for the cluster: it does not matter on which of its hosts it succeeded.
    const isClean = (host: string) => isCleanedUp(known, state, { phase: phase.name, host });
    if (phase.clusterWide) return [...phase.hosts, ...standIns].some(isClean) ? { ...phase, hosts: [] } : phase;
    return { ...phase, hosts: phase.hosts.filter((host) => !isClean(host)) };
  });
  const left = phases.filter(({ hosts }) => hosts.length > 0);
  // A plan has a task: who asks for nothing but a closing phase gets it.
  return left.length === 0 ? plan : { ...plan, phases: left };
}

function digestOf(specRef: string, phases: ReadonlyMap<string, Phase>): string {
  const names = [...phases.keys()].sort();
  return createHash('sha256')
    .update(JSON.stringify([DESIRED_STATE_VERSION, specRef, names]))
    .digest('hex')
    .slice(0, 32);
}
