import type { Kysely } from 'kysely';
import type { OperationStatus } from '../contracts/operation.ts';
import { type ClusterState, clusterStateOf, type StatusHead } from './changes.ts';
import type { Tables } from './schema.ts';
import type { SpecStore } from './specs.ts';

/** What an operation in mode `apply` makes of the record of its cluster. */
export interface ClusterOutcome {
  specRef: string;
  state: ClusterState;
  kubernetesVersion: string;
  hosts: number;
}

/**
 * The record of a cluster after a status of one of its operations. A build makes the spec that it runs on the cluster's;
 * a teardown of hosts leaves the spec without them and the state as the last build left it; a teardown of all hosts
 * leaves a cluster `removed`, with its last spec to be read.
 */
export async function clusterOutcome(
  db: Kysely<Tables>,
  specs: SpecStore,
  status: OperationStatus,
): Promise<ClusterOutcome> {
  if (status.kind !== 'teardown') return outcome(specs, status.specRef, clusterStateOf(status));
  const row = await db.selectFrom('clusters').select('spec_ref').where('name', '=', status.cluster).executeTakeFirst();
  const present = row?.spec_ref ?? status.specRef;
  if (status.state !== 'succeeded') return outcome(specs, present, clusterStateOf(status));
  if (!status.hosts) return outcome(specs, present, 'removed');
  const spec = await specs.get(present);
  const left = spec.spec.hosts.filter(({ name }) => !status.hosts!.includes(name));
  const specRef = await specs.put({ ...spec, spec: { ...spec.spec, hosts: left } });
  return outcome(specs, specRef, await builtState(db, status.cluster));
}

async function outcome(specs: SpecStore, specRef: string, state: ClusterState): Promise<ClusterOutcome> {
  const { spec } = await specs.get(specRef);
  return { specRef, state, kubernetesVersion: spec.kubernetes.version, hosts: spec.hosts.length };
}

/** What the last building operation that began said of the cluster. */
async function builtState(db: Kysely<Tables>, cluster: string): Promise<ClusterState> {
  const row = await db
    .selectFrom('operations')
    .select('status')
    .where('cluster', '=', cluster)
    .where('mode', '=', 'apply')
    .where('kind', '!=', 'teardown')
    .where('state', '!=', 'queued')
    .orderBy('queued_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row ? clusterStateOf(JSON.parse(row.status) as StatusHead) : 'ready';
}
