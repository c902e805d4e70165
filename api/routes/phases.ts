import { z } from 'zod';
import { phaseInfo } from '../../contracts/api.ts';
import { type AddRoutes, responses } from './shared.ts';

/** GET /phases: what a build is made of, and which options it takes. */
export const phases: AddRoutes = (api, deps) => {
  const items = deps.phases.map(({ name, title, hosts, needs, expectedMs, options }) => ({
    name,
    title,
    hosts,
    needs: [...needs],
    expectedMs,
    options: z.toJSONSchema(options, { io: 'input', unrepresentable: 'any' }) as Record<string, unknown>,
  }));
  api.get(
    '/phases',
    {
      config: { role: 'viewer', anyCluster: true },
      schema: {
        operationId: 'listPhases',
        summary: 'Phases in the order of a build, with the JSON schema of their options',
        tags: ['phases'],
        response: responses({ 200: z.object({ items: z.array(phaseInfo).max(200) }) }),
      },
    },
    async () => ({ items }),
  );
};
