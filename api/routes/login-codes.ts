import { loginCode } from '../../contracts/api.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { loginPath } from '../login-path.ts';
import { actorFor } from '../plugins/auth.ts';
import { defineRoutes, responses } from '../route.ts';

/** /login-codes: links that log a browser in. */
export default defineRoutes((api, deps) => {
  api.post(
    '/login-codes',
    {
      config: { role: 'viewer', anyCluster: true },
      schema: {
        operationId: 'createLoginCode',
        summary:
          'Create a one-time code that logs a browser in with the rights of this token. It is valid for 5 minutes',
        tags: ['sessions'],
        response: responses({ 201: loginCode }),
      },
    },
    async (request, reply) => {
      // A session that could make others would outlive its own end.
      if (request.session)
        throw new KubewrightError('FORBIDDEN', 'a login code needs the token itself, not its session');
      const { code, expiresAt } = await deps.store.sessions.createCode(actorFor(request).id ?? '');
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ code, expiresAt, path: loginPath(code) });
    },
  );
});
