import { findTraits, requireKind } from '../activities/operations/kind-loader.ts';
import { kindTraits } from '../activities/operations/operation-kind.ts';
import type { ClusterState, SubmitOperation } from '../contracts/actions.ts';
import { requireFreeAddresses, withAddresses } from './address-in-use.ts';
import type { ApiDeps } from './deps.ts';
import { reserveDryRun } from './dry-run-limit.ts';
import { oncePerKey } from './once-per-key.ts';

/** What a route asks to be submitted. Without an idempotency key each request is its own. */
export type Submission = Omit<SubmitOperation, 'requestId' | 'traits'> & {
  cluster: string;
  idempotencyKey?: string | undefined;
};

/**
 * Hand an operation to the cluster's entity, once per idempotency key. Returns the operation's id, and its status is
 * readable from then on. Throws IDEMPOTENCY_KEY_REUSED, TEMPORAL_UNAVAILABLE, OPERATION_RUNNING, and ADDRESS_IN_USE when a
 * host of the spec is a machine of another cluster, for dry runs too. What removes hosts goes where the spec says: whose
 * the host is then, its mark says. RATE_LIMITED when too many dry runs have not ended.
 */
export async function submitOperation(deps: ApiDeps, submission: Submission): Promise<string> {
  const { cluster, idempotencyKey, ...request } = submission;
  const { actor: _actor, ...requested } = request;
  return await oncePerKey(deps, cluster, idempotencyKey, requested, async (requestId) => {
    const send = () => submit(deps, cluster, request, requestId);
    if (findTraits(deps.kinds, request.kind)?.effect === 'removes') return await send();
    if (request.mode === 'apply') return await withAddresses(deps, request.specRef, send);
    await requireFreeAddresses(deps, request.specRef);
    return await send();
  });
}

async function submit(
  deps: ApiDeps,
  cluster: string,
  request: Omit<SubmitOperation, 'requestId'>,
  requestId: string,
): Promise<string> {
  const release = request.mode === 'check' ? await reserveDryRun(deps) : undefined;
  try {
    return await submitted(deps, cluster, request, requestId);
  } finally {
    release?.();
  }
}

async function submitted(
  deps: ApiDeps,
  cluster: string,
  request: Omit<SubmitOperation, 'requestId'>,
  requestId: string,
): Promise<string> {
  // Repeating this with one request id is safe: the entity answers with the operation of the first one.
  const state = await knownState(deps, cluster);
  const traits = kindTraits(requireKind(deps.kinds, request.kind));
  const { operationId } = await deps.temporal.submit(cluster, { ...request, traits, requestId }, state);
  await deps.store.projections.saveOperation(
    {
      operationId,
      cluster,
      kind: request.kind,
      mode: request.mode,
      state: 'queued',
      actor: request.actor.name,
      ...(request.actor.id === undefined ? {} : { actorId: request.actor.id }),
      specRef: request.specRef,
      ...(request.phases ? { phases: request.phases } : {}),
      ...(request.hosts ? { hosts: request.hosts } : {}),
      queuedAt: new Date().toISOString(),
      tasks: [],
      blockedHosts: [],
      quarantinedHosts: [],
    },
    { onlyNew: true, traits },
  );
  return operationId;
}

/**
 * What the store knows of a cluster, for an entity that has to begin anew because Temporal's data was lost: hosts in
 * quarantine stay there, and operation ids go on growing, which the fence on the hosts relies on.
 */
async function knownState({ store: { projections } }: ApiDeps, cluster: string): Promise<ClusterState | undefined> {
  const [operationId, quarantine] = await Promise.all([
    projections.lastOperationId(cluster),
    projections.quarantine(cluster),
  ]);
  if (operationId === null) return undefined;
  return { queue: [], recent: [], requests: [{ requestId: '', digest: '', operationId }], quarantine };
}
