import { z } from 'zod';
import { resolveNeeds } from '../../activities/phases/provides.ts';
import { phaseInfo } from '../../contracts/api.ts';
import { defineRoutes, responses } from '../route.ts';

/** GET /phases: what a build is made of, and which options it takes. */
export default defineRoutes((api, deps) => {
  const items = deps.phases.map(({ needs, name, title, hosts, expectedMs, options }) => ({
    name,
    title,
    hosts,
    needs: resolveNeeds({ needs }, deps.phases),
    expectedMs,
    options: z.toJSONSchema(options, { io: 'input', unrepresentable: 'any' }) as Record<string, unknown>,
  }));
  api.get(
    '/phases',
    {
      config: { role: 'viewer', anyCluster: true },
      schema: {
        operationId: 'listPhases',
        summary: 'List phases in the order of a build, with the JSON schemas of their options',
        tags: ['phases'],
        response: responses({ 200: z.object({ items: z.array(phaseInfo).max(200) }) }),
      },
    },
    async () => ({ items }),
  );
});
