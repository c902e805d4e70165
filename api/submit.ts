import { randomUUID } from 'node:crypto';
import type { SubmitOperation } from '../contracts/commands.ts';
import { KubewrightError } from '../contracts/errors.ts';
import { canonicalJson, sha256 } from '../store/canonical.ts';
import type { ApiDeps } from './deps.ts';

/** What a route asks to be submitted. Without an idempotency key each request is its own. */
export type Submission = Omit<SubmitOperation, 'requestId'> & { cluster: string; idempotencyKey?: string | undefined };

/**
 * Hand an operation to the cluster's entity, once per idempotency key. Returns the operation's id, and its status is
 * readable from then on. Throws IDEMPOTENCY_KEY_REUSED, TEMPORAL_UNAVAILABLE, OPERATION_RUNNING.
 */
export async function submitOperation(deps: ApiDeps, submission: Submission): Promise<string> {
  const { cluster, idempotencyKey, ...request } = submission;
  const requestId = idempotencyKey ?? randomUUID();
  const scope = `cluster/${cluster}`;
  if (idempotencyKey !== undefined) {
    const { actor: _actor, ...body } = request;
    const digest = sha256(canonicalJson(body));
    const claimed = await deps.store.requests.claim(scope, requestId, digest);
    if (claimed.bodySha256 !== digest) {
      throw new KubewrightError('IDEMPOTENCY_KEY_REUSED', `the key ${requestId} belongs to another request`);
    }
    if (claimed.answer !== null) return claimed.answer;
  }
  // Repeating this with one request id is safe: the entity answers with the operation of the first one.
  const { operationId } = await deps.temporal.submit(cluster, { ...request, requestId });
  await deps.store.projections.saveOperation(
    {
      operationId,
      cluster,
      kind: request.kind,
      mode: request.mode,
      state: 'queued',
      actor: request.actor.name,
      specRef: request.specRef,
      queuedAt: new Date().toISOString(),
      tasks: [],
      blockedHosts: [],
      quarantinedHosts: [],
    },
    { onlyNew: true },
  );
  if (idempotencyKey !== undefined) await deps.store.requests.complete(scope, requestId, operationId);
  return operationId;
}
