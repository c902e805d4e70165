import { z } from 'zod';
import { checkedClientCertificate } from '../../activities/host/client-certificate.ts';
import { checkedCredential } from '../../activities/host/credentials.ts';
import { listedCredential, pageOf } from '../../contracts/api.ts';
import { credentialScope, credentialValue } from '../../contracts/credential.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { dnsLabel } from '../../contracts/primitives.ts';
import { callerOf, isRoot } from '../caller.ts';
import { defineRoutes, page, responses } from '../route.ts';

const params = z.object({ name: dnsLabel });
const scopeChange = z
  .strictObject({
    clusters: credentialScope.shape.clusters
      .unwrap()
      .nullable()
      .optional()
      .describe('null: only specs that admins send may use it'),
    addresses: credentialScope.shape.addresses.unwrap().nullable().optional().describe('null: any address'),
  })
  .refine((body) => Object.keys(body).length > 0, 'must change something');

/** /credentials: logins that specs name, and where they may be used. Secrets go in and never come out. */
export default defineRoutes((api, deps) => {
  const { credentials: store } = deps.store;
  const tags = ['credentials'];
  api.get(
    '/credentials',
    {
      config: { role: 'operator', audited: true },
      schema: {
        operationId: 'listCredentials',
        summary:
          'List the names of stored credentials and where they may be used. Operators see those that their clusters may use',
        tags,
        querystring: z.strictObject(page),
        response: responses({ 200: pageOf(listedCredential) }),
      },
    },
    // One that only admins may use does not exist for others.
    (request) => store.list({ ...request.query, scopedOnly: !isRoot(callerOf(request)) }),
  );
  api.put(
    '/credentials/:name',
    {
      config: { role: 'admin', secretBody: true },
      schema: {
        operationId: 'putCredential',
        summary:
          'Store a private key, a password or a client certificate, encrypted, with the clusters and addresses that it may be used for',
        tags,
        params,
        body: credentialValue,
        response: responses({ 200: z.object({ name: dnsLabel }) }),
      },
    },
    async (request) => {
      const { body } = request;
      const { name } = request.params;
      // Better said here than on every host in the middle of a build.
      if (body.kind === 'client-certificate') checkedClientCertificate(body, name);
      else checkedCredential(body, name);
      await store.put(name, body);
      return { name };
    },
  );
  api.patch(
    '/credentials/:name',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'scopeCredential',
        summary: 'Change which clusters may use a credential, and at which addresses',
        tags,
        params,
        body: scopeChange,
        response: responses({ 200: z.object({ name: dnsLabel }) }),
      },
    },
    async (request) => {
      const { name } = request.params;
      const found = await store.get(name);
      if (!found) throw noneNamed(name);
      const { clusters = found.clusters, addresses = found.addresses } = request.body;
      await store.put(name, { ...found, clusters: clusters ?? undefined, addresses: addresses ?? undefined });
      return { name };
    },
  );
  api.delete(
    '/credentials/:name',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'deleteCredential',
        summary: 'Delete a credential',
        tags,
        params,
        response: responses({ 204: z.null() }),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      if (!(await store.delete(name))) throw noneNamed(name);
      return reply.code(204).send(null);
    },
  );
});

const noneNamed = (name: string) => new KubewrightError('NOT_FOUND', `there is no credential named ${name}`);
