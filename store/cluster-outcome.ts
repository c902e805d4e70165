import type { Kysely } from 'kysely';
import type { ClusterSpec } from '../contracts/cluster.ts';
import type { OperationEffect } from '../contracts/operation-traits.ts';
import { type ClusterState, type StatusHead, unfinishedState } from './changes.ts';
import { type TraitedStatus, traitedStatus } from './operation-traits.ts';
import type { Tables } from './schema.ts';
import type { SpecStore } from './specs.ts';

/** Partial operations in a row that are looked past for the last build as a whole. */
const MOST_PARTS = 500;

/** What an operation in mode `apply` makes of the record of its cluster. */
export interface ClusterOutcome {
  specRef: string;
  state: ClusterState;
  kubernetesVersion: string;
  hosts: number;
}

/**
 * The record of a cluster after a status of one of its operations. One that builds or repairs makes the spec that it runs on
 * the cluster's; one that removes hosts leaves the spec without them and the state as the last build left it; one that removes
 * all hosts leaves a cluster `removed`, with its last spec to be read. What did only a part (some phases or hosts, a repair)
 * makes a cluster `ready` that was built as a whole before, and no other.
 */
export async function clusterOutcome(
  db: Kysely<Tables>,
  specs: SpecStore,
  status: TraitedStatus,
): Promise<ClusterOutcome> {
  const { effect, clusterStates } = status.traits;
  if (shapes(effect)) return outcome(specs, status.specRef, await stateAfter(db, specs, status));
  const row = await db.selectFrom('clusters').select('spec_ref').where('name', '=', status.cluster).executeTakeFirst();
  const present = row?.spec_ref ?? status.specRef;
  if (status.state !== 'succeeded') return outcome(specs, present, unfinishedState(status.state, clusterStates));
  const said = clusterStates.succeeded;
  if (effect !== 'removes') return outcome(specs, present, said ?? (await builtState(db, specs, status.cluster)));
  if (!status.hosts) return outcome(specs, present, said ?? 'removed');
  const spec = await specs.get(present);
  const left = spec.spec.hosts.filter(({ name }) => !status.hosts!.includes(name));
  const specRef = await specs.put({ ...spec, spec: { ...spec.spec, hosts: left } });
  return outcome(specs, specRef, said ?? (await builtState(db, specs, status.cluster)));
}

/** True when the spec of such an operation becomes the cluster's. */
const shapes = (effect: OperationEffect): boolean => SHAPING.includes(effect);
const SHAPING: OperationEffect[] = ['builds', 'repairs'];

/** The state of a cluster after an operation that shapes it. */
async function stateAfter(db: Kysely<Tables>, specs: SpecStore, status: TraitedStatus): Promise<ClusterState> {
  const { state, quarantinedHosts, traits } = status;
  const usual = quarantinedHosts.length > 0 ? 'degraded' : 'ready';
  const says =
    state === 'succeeded' ? (traits.clusterStates.succeeded ?? usual) : unfinishedState(state, traits.clusterStates);
  if (says !== 'ready' && says !== 'degraded') return says;
  if ((await isWhole(specs, status)) || (await wasBuilt(db, specs, status.cluster))) return says;
  return state === 'failed' ? 'failed' : 'incomplete';
}

/** A build of every phase on every host that the spec had. */
async function isWhole(specs: SpecStore, { traits, state, phases, hosts, specRef }: TraitedStatus): Promise<boolean> {
  if (traits.effect !== 'builds' || state !== 'succeeded' || phases !== undefined) return false;
  if (hosts === undefined) return true;
  const { spec } = await specs.get(specRef);
  return spec.hosts.every(({ name }) => hosts.includes(name));
}

/** Has a build gone through as a whole since the cluster came to be, or came to be again after a teardown? */
export async function wasBuilt(db: Kysely<Tables>, specs: SpecStore, cluster: string): Promise<boolean> {
  return (await sinceBuilt(db, specs, cluster)) !== null;
}

/** The last build of a cluster as a whole. */
export interface BuiltCluster {
  /** The spec that it was built from. */
  spec: ClusterSpec;
  /** Its hosts, and those of builds of some hosts that went through after it, without those that were removed since. */
  served: string[];
}

/** What was built last of a cluster as a whole; null: nothing since it came to be. */
export async function builtCluster(
  db: Kysely<Tables>,
  specs: SpecStore,
  cluster: string,
): Promise<BuiltCluster | null> {
  const found = await sinceBuilt(db, specs, cluster);
  if (!found) return null;
  const spec = await specs.get(found.whole.specRef);
  const served = new Set(spec.spec.hosts.map(({ name }) => name));
  for (const { traits, hosts = [], phases } of found.later.toReversed()) {
    if (traits.effect === 'removes') for (const host of hosts) served.delete(host);
    else if (!phases) for (const host of hosts) served.add(host);
  }
  return { spec, served: [...served] };
}

/** The newest build as a whole, and what else went through after it, newest first; null: there was none since the last teardown. */
async function sinceBuilt(
  db: Kysely<Tables>,
  specs: SpecStore,
  cluster: string,
): Promise<{ whole: StatusHead; later: TraitedStatus[] } | null> {
  const rows = await db
    .selectFrom('operations')
    .select(['kind', 'status', 'traits'])
    .where('cluster', '=', cluster)
    .where('mode', '=', 'apply')
    .where('effect', 'in', ['builds', 'removes'])
    .where('state', '=', 'succeeded')
    .orderBy('queued_at', 'desc')
    .limit(MOST_PARTS)
    .execute();
  const later: TraitedStatus[] = [];
  for (const row of rows) {
    const status = traitedStatus(row);
    const { effect } = status.traits;
    if (effect === 'removes' && !status.hosts) return null;
    if (await isWhole(specs, status)) return { whole: status, later };
    later.push(status);
  }
  return null;
}

async function outcome(specs: SpecStore, specRef: string, state: ClusterState): Promise<ClusterOutcome> {
  const { spec } = await specs.get(specRef);
  return { specRef, state, kubernetesVersion: spec.kubernetes.version, hosts: spec.hosts.length };
}

/** What the last operation that shapes the cluster, and has begun, said of it. */
async function builtState(db: Kysely<Tables>, specs: SpecStore, cluster: string): Promise<ClusterState> {
  const row = await db
    .selectFrom('operations')
    .select(['kind', 'status', 'traits'])
    .where('cluster', '=', cluster)
    .where('mode', '=', 'apply')
    .where('effect', 'in', SHAPING)
    .where('state', '!=', 'queued')
    .orderBy('queued_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row ? stateAfter(db, specs, traitedStatus(row)) : 'ready';
}
