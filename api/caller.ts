import type { FastifyRequest } from 'fastify';
import type { Actor } from '../contracts/operation.ts';
import { actorFor } from './plugins/auth.ts';

/** Who asks, and how far their token reaches. */
export interface Caller {
  actor: Actor;
  /** Null: all clusters, and what belongs to none. */
  clusters: readonly string[] | null;
}

/** The caller of a request that passed authentication. */
export const callerOf = (request: FastifyRequest): Caller => ({
  actor: actorFor(request),
  clusters: request.clusters,
});

/** An admin of all clusters: who manages credentials and tokens. An admin of some clusters is not one. */
export const isRoot = ({ actor, clusters }: Caller): boolean => actor.role === 'admin' && clusters === null;
