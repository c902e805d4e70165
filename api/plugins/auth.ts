import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { KubewrightError } from '../../contracts/errors.ts';
import type { Actor } from '../../contracts/operation.ts';
import type { SessionInfo, SessionStore } from '../../store/sessions.ts';
import type { TokenHolder, TokenStore } from '../../store/tokens.ts';
import { sessionSecret } from '../session-cookie.ts';
import type { Admit } from './rates.ts';
import { requireOwnPage } from './same-origin.ts';

/** Who may call a route. `public` needs no token: health and documentation. */
export type RouteRole = Actor['role'] | 'public';

declare module 'fastify' {
  interface FastifyInstance {
    /** Throws for a failed login, RATE_LIMITED for too many from one address: every place that checks secrets counts here. */
    refuseLogin(request: FastifyRequest, reply: FastifyReply, refusal: KubewrightError): Promise<never>;
  }
  interface FastifyRequest {
    /** The session whose cookie the request came with; null with a bearer token. */
    session: SessionInfo | null;
    /** Set on every route that is not public. */
    actor: Actor | null;
    /** The clusters that the token may access; null: all. */
    clusters: readonly string[] | null;
    /** The token may access other clusters only: answered as if the cluster did not exist, with a record. */
    outOfReach: boolean;
  }
  interface FastifyContextConfig {
    role?: RouteRole;
    /**
     * A route without a cluster in its address that tokens of some clusters may call too, because it looks after their
     * limits itself, or returns nothing about a cluster.
     */
    anyCluster?: boolean;
    /** A route that reads what must not be read unnoticed: in the trail of requests, as those that change something. */
    audited?: boolean;
    /** The body holds a secret: the trail keeps not even its digest. */
    secretBody?: boolean;
    /** A public route that takes a secret: its callers are counted before a record begins, lest a flood fill the journal. */
    login?: boolean;
    /** Name of a cookie that may hold the token: for browsers that are sent here by another page. */
    cookie?: string;
  }
}

const RANK: Record<Actor['role'], number> = { viewer: 0, operator: 1, admin: 2 };

/** Failed logins per address and minute, before they are answered with 429. A valid token always passes. */
const FAILURES_PER_MINUTE = 30;
/** Logins of browsers from one address, successful ones included. */
const LOGINS_PER_MINUTE = 60;

/** What authentication asks of the store. */
export interface LoginStore {
  tokens: Pick<TokenStore, 'verify'>;
  sessions: Pick<SessionStore, 'verify'>;
}

/**
 * Bearer tokens and cookies of sessions, before the body is read. A route without a declared role is for admins. `admit`
 * refuses tokens that ask too much.
 */
export function authenticate(app: FastifyInstance, store: LoginStore, admit: Admit): void {
  const limit = app.createRateLimit({ max: FAILURES_PER_MINUTE, timeWindow: '1 minute' });
  const logins = app.createRateLimit({ max: LOGINS_PER_MINUTE, timeWindow: '1 minute' });
  const count = async (request: FastifyRequest, reply: FastifyReply, by: typeof limit, what: string): Promise<void> => {
    const state = await by(request);
    if (state.isAllowed || !state.isExceeded) return;
    void reply.header('retry-after', state.ttlInSeconds);
    throw new KubewrightError('RATE_LIMITED', `too many ${what} from this address`);
  };
  app.decorate('refuseLogin', async (request, reply, refusal) => {
    await count(request, reply, limit, 'failed logins');
    throw refusal;
  });
  app.decorateRequest('actor', null);
  app.decorateRequest('session', null);
  app.decorateRequest('clusters', null);
  app.decorateRequest('outOfReach', false);
  app.addHook('onRequest', async (request, reply) => {
    const { config } = request.routeOptions;
    const role = request.is404 ? 'viewer' : (config.role ?? 'admin');
    if (config.login === true) await count(request, reply, logins, 'logins');
    if (role === 'public') return;
    const holder = await holderOf(request, store);
    if (!holder) return app.refuseLogin(request, reply, unauthenticated());
    const { actor, clusters } = holder;
    // Before anything is refused: the trail names who asked.
    request.actor = actor;
    request.session = holder.info ?? null;
    if (request.session) requireOwnPage(request);
    admit(request, reply, actor);
    requireRank(actor, role);
    if (clusters && !request.is404) requireRouteWithin(request, clusters, actor.name);
    request.clusters = clusters;
  });
}

/** Throws FORBIDDEN when the request's token has less than this role: for routes where the body decides. */
export const requireRole = (request: FastifyRequest, role: Actor['role']): void => requireRank(actorFor(request), role);

function requireRank(actor: Actor, role: Actor['role']): void {
  if (RANK[actor.role] >= RANK[role]) return;
  throw new KubewrightError('FORBIDDEN', `this needs the role ${role}; the token ${actor.name} has ${actor.role}`);
}

/** 404 for a cluster that the token may not read, so that its existence is not disclosed. */
function requireRouteWithin(request: FastifyRequest, clusters: readonly string[], token: string): void {
  const { url = '', config } = request.routeOptions;
  if (/^\/clusters\/:name(\/|$)/.test(url)) {
    const { name = '' } = request.params as { name?: string };
    request.outOfReach = !clusters.includes(name);
    if (request.outOfReach) throw new KubewrightError('NOT_FOUND', `there is no cluster named ${name}`);
  } else if (config.anyCluster !== true) {
    throw new KubewrightError(
      'FORBIDDEN',
      `the token ${token} is limited to some clusters, and this route concerns all`,
    );
  }
}

/** Throws FORBIDDEN when the token of the request may not access a cluster that its body names. */
export function requireReach(request: FastifyRequest, cluster: string): void {
  if (!request.clusters || request.clusters.includes(cluster)) return;
  throw new KubewrightError('FORBIDDEN', `the token ${actorFor(request).name} may not access the cluster ${cluster}`);
}

const unauthenticated = () => new KubewrightError('UNAUTHENTICATED', 'this route needs a valid bearer token');

/** A session counts only without an Authorization header: who sends one means that token. */
async function holderOf(
  request: FastifyRequest,
  { tokens, sessions }: LoginStore,
): Promise<(TokenHolder & { info?: SessionInfo }) | null> {
  const { authorization } = request.headers;
  const [, bearer] = /^Bearer +([A-Za-z0-9._~+/=-]{1,256})$/i.exec(authorization ?? '') ?? [];
  const token = bearer ?? cookieOf(request);
  if (token !== undefined) return tokens.verify(token);
  const secret = authorization === undefined ? sessionSecret(request) : undefined;
  return secret === undefined ? null : sessions.verify(secret);
}

function cookieOf(request: FastifyRequest): string | undefined {
  const wanted = request.routeOptions.config.cookie;
  if (wanted === undefined) return undefined;
  const pairs = (request.headers.cookie ?? '').split(';').map((each) => each.trim().split('='));
  const [, value] = pairs.find(([name]) => name === wanted) ?? [];
  return value !== undefined && /^[A-Za-z0-9_-]{1,128}$/.test(value) ? value : undefined;
}

/** The actor of a request that passed authentication. */
export function actorFor(request: FastifyRequest): Actor {
  if (!request.actor) throw unauthenticated();
  return request.actor;
}

/** Who gives what the request hands out, for its `issue` record. */
export function giverOf(request: FastifyRequest): { actor: string; actorId: string | undefined; requestId: string } {
  const { name, id } = actorFor(request);
  return { actor: name, actorId: id, requestId: request.id };
}
