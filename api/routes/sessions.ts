import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { loginAnswer, loginRequest, pageOf, sessionInfo } from '../../contracts/api.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import type { SessionInfo } from '../../store/sessions.ts';
import { refuseForeignLogin } from '../plugins/same-origin.ts';
import { recordIssue, sessionIssue } from '../record-issue.ts';
import { defineRoutes, page, responses, rowParams } from '../route.ts';
import { clearSessionCookie, sessionSecret, setSessionCookie } from '../session-cookie.ts';

/** What a caller sees of a session. */
const shown = ({ actor: { name, role, id = '' }, clusters, ...rest }: SessionInfo) => ({
  ...rest,
  actor: { name, role, id },
  clusters: clusters && [...clusters],
});

/** The session of the request. Throws NOT_FOUND for a bearer token. */
function ownSession(request: FastifyRequest): SessionInfo {
  if (request.session) return request.session;
  throw new KubewrightError('NOT_FOUND', 'this request came with a bearer token, not with a session');
}

/** /sessions: browsers that are logged in. */
export default defineRoutes((api, deps) => {
  const { sessions, tokens, journal } = deps.store;
  const tags = ['sessions'];
  const logIn = async (request: FastifyRequest, reply: FastifyReply, body: z.infer<typeof loginRequest>) => {
    const tokenId = 'code' in body ? await sessions.redeemCode(body.code) : (await tokens.verify(body.token))?.actor.id;
    // Always a new id and secret, whatever cookie the browser sent.
    const created = tokenId ? await sessions.create(tokenId) : null;
    if (created) return created;
    const what = 'code' in body ? 'the code is unknown, used or expired' : 'the token is unknown, revoked or expired';
    return api.refuseLogin(request, reply, new KubewrightError('LOGIN_INVALID', what));
  };
  api.post(
    '/sessions',
    {
      config: { role: 'public', login: true, secretBody: true },
      schema: {
        operationId: 'createSession',
        summary:
          'Create a session: logs a browser in with a one-time code or a token. The answer sets the cookie of the session',
        tags,
        security: [],
        body: loginRequest,
        response: responses({ 201: loginAnswer }),
      },
    },
    async (request, reply) => {
      refuseForeignLogin(request);
      const { secret, info } = await logIn(request, reply, request.body);
      const { name, id } = info.actor;
      try {
        const giver = { actor: name, actorId: id, requestId: request.id };
        await recordIssue(journal, giver, sessionIssue(info, 'code' in request.body ? 'code' : 'token'));
      } catch (error) {
        // Nothing is handed out that no record names.
        await sessions.end(info.id);
        throw error;
      }
      // The session that this browser had before ends: no page can use it any more.
      const before = sessionSecret(request);
      const earlier = before === undefined ? null : await sessions.verify(before);
      if (earlier) await sessions.end(earlier.info.id);
      setSessionCookie(request, reply, secret, info.expiresAt);
      const { actor, clusters } = shown(info);
      const { id: session, expiresAt } = info;
      return reply.code(201).header('cache-control', 'no-store').send({ id: session, expiresAt, actor, clusters });
    },
  );
  const own = { role: 'viewer' as const, anyCluster: true };
  api.get(
    '/sessions/current',
    {
      config: own,
      schema: {
        operationId: 'getOwnSession',
        summary: 'Get the session of this browser, with its rights',
        tags,
        response: responses({ 200: sessionInfo }),
      },
    },
    async (request, reply) => {
      void reply.header('cache-control', 'no-store');
      return shown(ownSession(request));
    },
  );
  api.delete(
    '/sessions/current',
    {
      config: own,
      schema: {
        operationId: 'endOwnSession',
        summary: 'Delete the session of this browser: logs it out',
        tags,
        response: responses({ 204: z.null() }),
      },
    },
    async (request, reply) => {
      await sessions.end(ownSession(request).id);
      clearSessionCookie(request, reply);
      return reply.code(204).send(null);
    },
  );
  const config = { role: 'admin' as const };
  api.get(
    '/sessions',
    {
      config: { ...config, audited: true },
      schema: {
        operationId: 'listSessions',
        summary: 'List the browsers that are logged in, oldest login first',
        tags,
        querystring: z.strictObject(page),
        response: responses({ 200: pageOf(sessionInfo) }),
      },
    },
    async (request) => {
      const { items, next } = await sessions.page(request.query);
      return { items: items.map(shown), next };
    },
  );
  api.delete(
    '/sessions/:id',
    {
      config,
      schema: {
        operationId: 'endSession',
        summary: 'Revoke a session: the browser must log in again',
        tags,
        params: rowParams,
        response: responses({ 204: z.null() }),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      if (!(await sessions.end(id))) throw new KubewrightError('NOT_FOUND', `there is no session with the id ${id}`);
      return reply.code(204).send(null);
    },
  );
});
