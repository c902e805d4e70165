import type { FastifyInstance, FastifyRequest } from 'fastify';
import { KubewrightError } from '../../contracts/errors.ts';
import type { Actor } from '../../contracts/operation.ts';
import type { TokenStore } from '../../store/tokens.ts';

/** Who may call a route. `public` needs no token: health and documentation. */
export type RouteRole = Actor['role'] | 'public';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on every route that is not public. */
    actor: Actor | null;
  }
  interface FastifyContextConfig {
    role?: RouteRole;
  }
}

const RANK: Record<Actor['role'], number> = { viewer: 0, operator: 1, admin: 2 };

/** Failed logins per address and minute, before they are answered with 429. A valid token always passes. */
const FAILURES_PER_MINUTE = 30;

/** Bearer tokens, before the body is read. A route without a declared role is for admins. */
export function authenticate(app: FastifyInstance, tokens: Pick<TokenStore, 'verify'>): void {
  const limit = app.createRateLimit({ max: FAILURES_PER_MINUTE, timeWindow: '1 minute' });
  app.decorateRequest('actor', null);
  app.addHook('onRequest', async (request, reply) => {
    const role = request.is404 ? 'viewer' : (request.routeOptions.config.role ?? 'admin');
    if (role === 'public') return;
    const actor = await actorOf(request, tokens);
    if (!actor) {
      const state = await limit(request);
      if (!state.isAllowed && state.isExceeded) {
        void reply.header('retry-after', state.ttlInSeconds);
        throw new KubewrightError('RATE_LIMITED', 'too many failed logins from this address');
      }
      throw new KubewrightError('UNAUTHENTICATED', 'this route needs a valid bearer token');
    }
    if (RANK[actor.role] < RANK[role]) {
      throw new KubewrightError('FORBIDDEN', `this needs the role ${role}; the token ${actor.name} has ${actor.role}`);
    }
    request.actor = actor;
  });
}

async function actorOf(request: FastifyRequest, tokens: Pick<TokenStore, 'verify'>): Promise<Actor | null> {
  const [, token] = /^Bearer +([A-Za-z0-9._~+/=-]{1,256})$/i.exec(request.headers.authorization ?? '') ?? [];
  return token === undefined ? null : tokens.verify(token);
}

/** The actor of a request that passed authentication. */
export function actorFor(request: FastifyRequest): Actor {
  if (!request.actor) throw new KubewrightError('UNAUTHENTICATED', 'this route needs a valid bearer token');
  return request.actor;
}
