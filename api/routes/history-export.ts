import { Readable } from 'node:stream';
import { z } from 'zod';
import { operationId } from '../../contracts/api.ts';
import { clusterParams, defineRoutes, responses } from '../route.ts';

/** The sealed operation, and the key that seals. */
export default defineRoutes((api, deps) => {
  api.get(
    '/clusters/:name/history/export',
    {
      config: { role: 'operator', audited: true },
      schema: {
        operationId: 'exportOperation',
        summary: 'Export one operation as one signed tar archive; check it with `kubewright audit verify`',
        tags: ['history'],
        params: clusterParams,
        querystring: z.strictObject({ operation: operationId }),
        produces: ['application/x-tar'],
        response: responses({ 200: z.string().describe('A tar archive; its README.txt explains the content') }),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { operation } = request.query;
      api.openStream(request, reply);
      const { id, size, sha256 } = await deps.bundleBuilder.bundle(name, operation);
      return (
        reply
          .type('application/x-tar')
          .header('content-length', size)
          .header('content-disposition', `attachment; filename="${name}-${operation}.tar"`)
          .header('digest', `sha-256=${Buffer.from(sha256, 'hex').toString('base64')}`)
          // Typed for the schema's text; a stream is sent as it is.
          .send(Readable.from(deps.store.bundles.read(id)) as never)
      );
    },
  );

  api.get(
    '/audit/key',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'getAuditKey',
        summary: 'Get the public key (PEM) that verifies exported operations',
        tags: ['history'],
        produces: ['application/x-pem-file'],
        response: responses({ 200: z.string().max(1_000) }),
      },
    },
    async (_request, reply) =>
      reply
        .type('application/x-pem-file')
        .header('x-fingerprint', deps.bundleBuilder.signer.fingerprint)
        .send(deps.bundleBuilder.signer.publicKey),
  );
});
