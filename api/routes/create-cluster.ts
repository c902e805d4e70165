import { z } from 'zod';
import { startedKind } from '../../activities/operations/kind-loader.ts';
import { withPinnedVersions } from '../../activities/operations/versions.ts';
import { accepted, dryRunAnswer } from '../../contracts/api.ts';
import { clusterShape } from '../../contracts/cluster.ts';
import { LIMITS } from '../../contracts/limits.ts';
import { validateClusterSpec } from '../../contracts/spec-parse.ts';
import { callerOf } from '../caller.ts';
import { answerDryRun } from '../dry-run.ts';
import { actorFor, requireReach } from '../plugins/auth.ts';
import { BODY_TYPES } from '../plugins/body.ts';
import { presentSpec } from '../present-spec.ts';
import { requireAllowed } from '../require-allowed.ts';
import { requireNewRules, requireSpec } from '../require-spec.ts';
import { defineRoutes, idempotencyHeaders, operationLinks, responses } from '../route.ts';
import { submitOperation } from '../submit.ts';
import { specValidator } from '../validate-phases.ts';

const query = z.strictObject({
  dryRun: z
    .enum(['true', 'false'])
    .default('false')
    .describe('True: change nothing and answer with the intended changes'),
  ifBusy: z
    .enum(['queue', 'refuse'])
    .default('queue')
    .describe('When another operation of the cluster runs: refuse the request, or queue it'),
});

/** POST /clusters: the one request that builds a cluster. */
export default defineRoutes((api, deps) => {
  const validatePhases = specValidator(deps.phases);
  const kind = startedKind(deps.kinds, 'spec');
  const validator = api.validatorCompiler!;
  api.post(
    '/clusters',
    {
      config: { role: kind.role, anyCluster: true, clusterSpec: true },
      bodyLimit: LIMITS.requestBodyBytes,
      // The body is checked in the handler, in the words of specs: the nearest known key, the place in the document.
      validatorCompiler: (route) =>
        route.httpPart === 'body' ? (data: unknown) => ({ value: data }) : validator(route),
      schema: {
        operationId: 'createCluster',
        summary: 'Build a cluster, or change it to this spec',
        tags: ['clusters'],
        consumes: [...BODY_TYPES],
        headers: idempotencyHeaders,
        querystring: query,
        body: clusterShape,
        response: responses({ 200: dryRunAnswer, 202: accepted }),
      },
    },
    async (request, reply) => {
      const dryRun = request.query.dryRun === 'true';
      const wanted = validateClusterSpec(request.body, validatePhases);
      requireReach(request, wanted.metadata.name);
      const base = await presentSpec(deps, wanted.metadata.name);
      requireNewRules(deps, wanted, base);
      const spec = withPinnedVersions(wanted, deps.phases, { before: base, given: request.body });
      await requireAllowed(deps, callerOf(request), spec, base);
      if (base) await requireSpec(deps, kind, { before: base, after: spec, isCorrection: false });
      const cluster = spec.metadata.name;
      const operation = await submitOperation(deps, {
        cluster,
        kind: kind.name,
        mode: dryRun ? 'check' : 'apply',
        specRef: await deps.store.specs.put(spec),
        actor: actorFor(request),
        ifBusy: request.query.ifBusy,
        idempotencyKey: request.headers['idempotency-key'],
      });
      const links = operationLinks(cluster, operation);
      void reply.header('location', links.operation);
      if (!dryRun) return reply.code(202).send({ cluster, operation, links });

      const report = await answerDryRun(deps, { cluster, operation, actor: actorFor(request), log: request.log });
      return report ? reply.code(200).send(report) : reply.code(202).send({ cluster, operation, links });
    },
  );
});
