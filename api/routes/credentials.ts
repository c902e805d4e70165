import { z } from 'zod';
import { checkedCredential } from '../../activities/host/credentials.ts';
import { namedSecret } from '../../contracts/api.ts';
import { credentialValue } from '../../contracts/credential.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { dnsLabel } from '../../contracts/primitives.ts';
import { type AddRoutes, responses } from './shared.ts';

const params = z.object({ name: dnsLabel });

/** /credentials: logins that specs name. They go in and never come out. */
export const credentials: AddRoutes = (api, deps) => {
  const { credentials: store } = deps.store;
  api.get(
    '/credentials',
    {
      config: { role: 'operator', audited: true },
      schema: {
        operationId: 'listCredentials',
        summary: 'Names of the stored credentials',
        tags: ['credentials'],
        response: responses({ 200: z.object({ items: z.array(namedSecret).max(10_000) }) }),
      },
    },
    async () => ({ items: await store.list() }),
  );
  api.put(
    '/credentials/:name',
    {
      config: { role: 'admin', secretBody: true },
      schema: {
        operationId: 'putCredential',
        summary: 'Store a private key or a password; it is encrypted at rest',
        tags: ['credentials'],
        params,
        body: credentialValue,
        response: responses({ 200: z.object({ name: dnsLabel }) }),
      },
    },
    async (request) => {
      // Better said here than on every host in the middle of a build.
      checkedCredential(request.body, request.params.name);
      await store.put(request.params.name, request.body);
      return { name: request.params.name };
    },
  );
  api.delete(
    '/credentials/:name',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'deleteCredential',
        summary: 'Forget a credential',
        tags: ['credentials'],
        params,
        response: responses({ 204: z.null() }),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      if (!(await store.delete(name))) throw new KubewrightError('NOT_FOUND', `there is no credential named ${name}`);
      return reply.code(204).send(null);
    },
  );
};
