import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { KindRequest, OperationKind, OperationMode } from '../activities/operations/operation-kind.ts';
import type { accepted } from '../contracts/api.ts';
import type { ClusterSpec } from '../contracts/cluster.ts';
import { KubewrightError } from '../contracts/errors.ts';
import { callerOf } from './caller.ts';
import type { ApiDeps } from './deps.ts';
import { requireRole } from './plugins/auth.ts';
import { requireLogins } from './require-logins.ts';
import { guardWorld } from './require-spec.ts';
import { operationLinks, requireCluster } from './route.ts';
import { submitOperation } from './submit.ts';

/** A request of a kind on the present spec of a cluster. */
interface Start {
  cluster: string;
  kind: OperationKind;
  mode: OperationMode;
  /** Parsed by the kind. */
  asked: KindRequest;
  /** Its host is part of the path, not of the body. */
  isPath?: boolean;
  /** What the caller repeated of a kind that asks for it. */
  confirm?: string | undefined;
  ifBusy?: 'queue' | 'refuse' | undefined;
  idempotencyKey: string | undefined;
}

/**
 * Ask the kind's guard, then submit. Throws NOT_FOUND, BAD_REQUEST for phases and hosts that are not there, NOT_CONFIRMED, what
 * the guard throws, and what submitOperation throws.
 */
export async function startOperation(
  deps: ApiDeps,
  request: FastifyRequest,
  { cluster, kind, mode, asked, isPath = false, confirm, ifBusy, idempotencyKey }: Start,
): Promise<z.infer<typeof accepted>> {
  requireRole(request, kind.role);
  const caller = callerOf(request);
  const { specRef } = await requireCluster(deps, cluster);
  const spec = await deps.store.specs.get(specRef);
  const { hosts, phases, ...options } = asked;
  const { actor } = caller;
  const unknown = unknownName(deps, spec, { hosts, phases });
  if (unknown && isPath)
    throw new KubewrightError('NOT_FOUND', `the cluster ${cluster} has no host named ${unknown.name}`);
  if (unknown) throw new KubewrightError('BAD_REQUEST', `body.${unknown.field}: there is no ${unknown.name}`);
  await kind.guard?.({ cluster, mode, actor, spec, request: asked }, guardWorld(deps, cluster));
  if (kind.confirm && mode === 'apply') requireConfirmed(hosts?.join(',') ?? cluster, confirm);
  // A credential may be for other clusters by now, and an operation that removed the cluster forgot what was approved.
  await requireLogins(deps, caller, spec, spec);
  const operation = await submitOperation(deps, {
    cluster,
    kind: kind.name,
    mode,
    specRef,
    phases,
    hosts,
    ...(Object.keys(options).length > 0 ? { options } : {}),
    actor,
    ...(ifBusy ? { ifBusy } : {}),
    idempotencyKey,
  });
  return { cluster, operation, links: operationLinks(cluster, operation) };
}

/** The first phase or host of a request that is not there. */
function unknownName(deps: ApiDeps, { spec }: ClusterSpec, { hosts, phases }: KindRequest) {
  const known = { phases: deps.phases.map(({ name }) => name), hosts: spec.hosts.map(({ name }) => name) };
  const of = (field: keyof typeof known, asked: readonly string[] = []) =>
    asked.filter((name) => !known[field].includes(name)).map((name) => ({ field, name }));
  return [...of('phases', phases), ...of('hosts', hosts)][0];
}

function requireConfirmed(name: string, confirm: string | undefined): void {
  if (confirm === name) return;
  const problem = confirm === undefined ? 'the request has no ?confirm=' : `?confirm=${confirm} is not `;
  throw new KubewrightError('NOT_CONFIRMED', `${problem}${name}`);
}
