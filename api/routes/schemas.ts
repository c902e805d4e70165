import { z } from 'zod';
import { defineRoutes, responses } from '../route.ts';
import { specSchema } from '../spec-schema.ts';

/** GET /schemas/cluster: what editors and forms know of a spec. */
export default defineRoutes((api, deps) => {
  const cluster = specSchema(deps.phases);
  api.get(
    '/schemas/cluster',
    {
      config: { role: 'viewer', anyCluster: true },
      schema: {
        operationId: 'getSpecSchema',
        summary: 'Get the JSON Schema of a cluster spec, with the options of every phase',
        description: 'For completion in editors. Rules that span several fields are checked by POST /clusters only.',
        tags: ['phases'],
        response: responses({ 200: z.record(z.string().max(64), z.unknown()).describe('A JSON Schema, 2020-12') }),
      },
    },
    async () => cluster,
  );
});
