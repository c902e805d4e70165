import { z } from 'zod';
import { pageOf, tokenInfo, tokenRequest } from '../../contracts/api.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { giverOf } from '../plugins/auth.ts';
import { recordIssue, tokenIssue } from '../record-issue.ts';
import { defineRoutes, page, responses, rowParams } from '../route.ts';

/** /tokens: who may use this API. */
export default defineRoutes((api, deps) => {
  const { tokens: store } = deps.store;
  const config = { role: 'admin' as const };
  const tags = ['tokens'];
  api.get(
    '/tokens',
    {
      config: { ...config, audited: true },
      schema: {
        operationId: 'listTokens',
        summary: 'List tokens without their text, oldest first',
        tags,
        querystring: z.strictObject(page),
        response: responses({ 200: pageOf(tokenInfo) }),
      },
    },
    (request) => store.page(request.query),
  );
  api.post(
    '/tokens',
    {
      config,
      schema: {
        operationId: 'createToken',
        summary: 'Create a token. Only this answer shows its text',
        tags,
        body: tokenRequest,
        response: responses({ 201: tokenInfo.extend({ token: z.string().max(128) }) }),
      },
    },
    async (request, reply) => {
      const { name, role, expiresAt, clusters } = request.body;
      if (expiresAt !== undefined && Date.parse(expiresAt) <= Date.now()) {
        throw new KubewrightError('BAD_REQUEST', 'body.expiresAt is in the past');
      }
      const until = expiresAt === undefined ? null : new Date(expiresAt);
      const { token, info, digest } = await store.create(name, role, { expiresAt: until, clusters });
      try {
        await recordIssue(deps.store.journal, giverOf(request), tokenIssue(info, digest));
      } catch (error) {
        // The token is not handed out, and no record says that it was.
        await store.revoke(info.id);
        throw error;
      }
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...info, token });
    },
  );
  api.delete(
    '/tokens/:id',
    {
      config,
      schema: {
        operationId: 'revokeToken',
        summary: 'Revoke a token',
        tags,
        params: rowParams,
        response: responses({ 204: z.null() }),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      if (!(await store.revoke(id)))
        throw new KubewrightError('NOT_FOUND', `there is no valid token with the id ${id}`);
      return reply.code(204).send(null);
    },
  );
});
