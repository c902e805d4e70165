import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { ActionBase, ActionResult, OnVersion } from '../contracts/actions.ts';
import type { accepted, actionRequest } from '../contracts/api.ts';
import { KubewrightError } from '../contracts/errors.ts';
import type { OperationStatus } from '../contracts/operation.ts';
import { requireActive } from './active-operation.ts';
import type { ApiDeps } from './deps.ts';
import { oncePerKey } from './once-per-key.ts';
import { actorFor } from './plugins/auth.ts';
import { operationLinks } from './route.ts';

/** Who asks, why, and on which view. */
export type ActionContext = ActionBase & OnVersion;

/** A command request: its cluster, its headers, its body with `operation`, `expectedVersion` and `reason`. */
interface ActionRequest {
  cluster: string;
  headers: { 'idempotency-key'?: string | undefined; 'if-match'?: string | undefined };
  body: z.output<typeof actionRequest>;
}

/**
 * Send a command once per Idempotency-Key. `what` names it (the route, the host), so that a key that was used for another
 * command is refused. `send` returns the operation that took it.
 */
export async function actOnce(
  deps: ApiDeps,
  request: FastifyRequest,
  { cluster, headers, body }: ActionRequest,
  what: object,
  send: (context: ActionContext, requested: string | undefined) => Promise<ActionResult>,
): Promise<z.infer<typeof accepted>> {
  const { operation: requested, expectedVersion } = viewOf(headers['if-match'], body);
  const key = headers['idempotency-key'];
  const operation = await oncePerKey(deps, cluster, key, { ...what, body }, async (requestId) => {
    const context = { actor: actorFor(request), requestId, reason: body.reason, expectedVersion };
    return (await send(context, requested)).operationId;
  });
  return { cluster, operation, links: operationLinks(cluster, operation) };
}

/** The same for a command that the running operation takes. */
export function actOnActive(
  deps: ApiDeps,
  request: FastifyRequest,
  requested: ActionRequest,
  what: object,
  send: (context: ActionContext, active: OperationStatus) => Promise<ActionResult>,
): Promise<z.infer<typeof accepted>> {
  return actOnce(deps, request, requested, what, async (context, operation) =>
    send(context, await requireActive(deps, requested.cluster, operation)),
  );
}

/** The ETag of an operation's view: what If-Match of a command is compared with. */
export const viewTag = ({ operationId, version = 0 }: Pick<OperationStatus, 'operationId' | 'version'>): string =>
  `"${operationId}:${version}"`;

/** The view that a command was decided on: of If-Match, where the body does not say it. */
function viewOf(
  ifMatch: string | undefined,
  body: ActionRequest['body'],
): Pick<ActionRequest['body'], 'operation' | 'expectedVersion'> {
  const { operation, expectedVersion } = body;
  if (ifMatch === undefined) return { operation, expectedVersion };
  const [, tagged, version] = /^"([^":]+):(\d{1,9})"$/.exec(ifMatch) ?? [];
  if (tagged === undefined) throw new KubewrightError('BAD_REQUEST', 'if-match must be an ETag of this cluster');
  return { operation: operation ?? tagged, expectedVersion: expectedVersion ?? Number(version) };
}
