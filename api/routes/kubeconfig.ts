import { z } from 'zod';
import { KubewrightError } from '../../contracts/errors.ts';
import { type AddRoutes, clusterParams, requireCluster, responses } from './shared.ts';

/** GET /clusters/:name/kubeconfig: full rights on the cluster, so for admins alone. */
export const kubeconfig: AddRoutes = (api, deps) => {
  api.get(
    '/clusters/:name/kubeconfig',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'getKubeconfig',
        summary: "The cluster's admin kubeconfig",
        tags: ['clusters'],
        params: clusterParams,
        produces: ['application/yaml'],
        response: responses({ 200: z.string() }),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { specRef } = await requireCluster(deps, name);
      const text = await deps.kubeconfig(name, await deps.store.specs.get(specRef));
      if (text === null) throw new KubewrightError('CONFLICT', `the cluster ${name} has no certificates yet`);
      return reply.type('application/yaml').header('cache-control', 'no-store').send(text);
    },
  );
};
