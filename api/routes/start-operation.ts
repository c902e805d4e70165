import { z } from 'zod';
import { findKind } from '../../activities/operations/kind-loader.ts';
import type { KindRoute, OperationKind } from '../../activities/operations/operation-kind.ts';
import { accepted, dryRunAnswer } from '../../contracts/api.ts';
import { KIND_ALIASES } from '../../contracts/earlier-kinds.ts';
import { unknownWord } from '../../contracts/nearest.ts';
import { dnsLabel } from '../../contracts/primitives.ts';
import { answerDryRun } from '../dry-run.ts';
import { actorFor } from '../plugins/auth.ts';
import { type AddRoutes, clusterParams, defineRoutes, idempotencyHeaders, responses } from '../route.ts';
import { startOperation } from '../start-operation.ts';

const query = z.strictObject({
  dryRun: z
    .enum(['true', 'false'])
    .default('false')
    .describe('True: change nothing and answer with what would be removed'),
  ifBusy: z
    .enum(['queue', 'refuse'])
    .default('queue')
    .describe('When another operation of the cluster runs: refuse the request, or queue it'),
});
const confirmation = {
  confirm: z.string().max(63).optional().describe('Repeat the name that is to be removed'),
};
/** A request for several hosts: at most as many as a quorum has members. */
const severalHosts = {
  hosts: z
    .string()
    .max(7 * 64)
    .transform((text) => [...new Set(text.split(','))])
    .pipe(z.array(dnsLabel).min(1).max(7))
    .describe('Names of the hosts, with commas between them'),
  confirm: z
    .string()
    .max(7 * 64)
    .optional()
    .describe('Repeat the names, in the same order'),
};

/** Where operations on the present spec start: POST /clusters/:name/operations, and the paths that kinds have of their own. */
export default defineRoutes((api, deps) => {
  const kinds = [...deps.kinds.values()];
  const common = kinds.filter(({ routes }) => routes === undefined);
  addCommonRoute(api, deps, common);
  for (const kind of kinds) for (const route of kind.routes ?? []) addDeleteRoute(api, deps, kind, route);
});

function addCommonRoute(api: Parameters<AddRoutes>[0], deps: Parameters<AddRoutes>[1], kinds: OperationKind[]): void {
  api.post(
    '/clusters/:name/operations',
    {
      config: { role: 'operator' },
      schema: {
        operationId: 'startOperation',
        summary: 'Start an operation on the stored spec',
        description: kinds.map(({ name, title }) => `- \`${name}\`: ${title}`).join('\n'),
        tags: ['operations'],
        params: clusterParams,
        headers: idempotencyHeaders,
        body: requestOf(kinds),
        response: responses({ 202: accepted }),
      },
    },
    async (request, reply) => {
      const { kind: name, mode, ...asked } = request.body;
      const alias = KIND_ALIASES.get(name);
      const kind = findKind(deps.kinds, name)!;
      const answer = await startOperation(deps, request, {
        ...{ cluster: request.params.name, kind, asked },
        mode: alias?.mode ?? mode ?? kind.modes[0]!,
        idempotencyKey: request.headers['idempotency-key'],
      });
      return reply.code(202).header('location', answer.links.operation).send(answer);
    },
  );
}

/** A request of any of the kinds, distinguished by `kind`. */
interface Body extends Record<string, unknown> {
  kind: string;
  mode?: OperationKind['modes'][number] | undefined;
}

/** One schema per kind, and one per name that an earlier version had for it. */
function requestOf(kinds: readonly OperationKind[]): z.ZodType<Body> {
  const schemas = kinds.map((kind) => {
    const { name, title, modes } = kind;
    const mode = z.enum(modes as [string, ...string[]]).default(modes[0]!);
    const fields = modes.length > 1 ? { mode: mode.describe('`check` is a dry run: it changes nothing') } : {};
    return z.strictObject({ kind: z.literal(name), ...fields, ...shapeOf(kind) }).describe(title);
  });
  const aliases = [...KIND_ALIASES].flatMap(([name, { kind, mode }]) => {
    const meant = kinds.find((each) => each.name === kind && each.modes.includes(mode));
    const description = `As kind \`${kind}\` in mode \`${mode}\`: the name that earlier versions had for it`;
    return meant
      ? [z.strictObject({ kind: z.literal(name), ...shapeOf(meant) }).meta({ description, deprecated: true })]
      : [];
  });
  const names = kinds.map(({ name }) => name);
  const [first, ...others] = [...schemas, ...aliases];
  return z.discriminatedUnion('kind', [first!, ...others], {
    error: ({ input }) => unknownWord('kind', kindOf(input), names),
  }) as unknown as z.ZodType<Body>;
}

const shapeOf = ({ request }: OperationKind): z.ZodRawShape => (request as unknown as z.ZodObject).shape;

/** What a request without a matching schema says as its kind. */
function kindOf(input: unknown): string {
  const kind = typeof input === 'object' && input !== null && 'kind' in input ? input.kind : '';
  return typeof kind === 'string' ? kind : '';
}

function addDeleteRoute(
  api: Parameters<AddRoutes>[0],
  deps: Parameters<AddRoutes>[1],
  kind: OperationKind,
  { path, role, operationId, summary }: KindRoute,
): void {
  api.delete(
    `/clusters/:name${path}`,
    {
      config: { role },
      schema: {
        operationId,
        summary,
        tags: ['clusters'],
        params: path === '/hosts/:host' ? clusterParams.extend({ host: dnsLabel }) : clusterParams,
        headers: idempotencyHeaders,
        querystring: query.extend({
          ...(kind.confirm ? confirmation : {}),
          ...(path === '/hosts' ? severalHosts : {}),
        }),
        response: responses({ 200: dryRunAnswer, 202: accepted }),
      },
    },
    async (request, reply) => {
      const { name: cluster, host } = request.params as { name: string; host?: string };
      const { dryRun, ifBusy, confirm, hosts } = request.query as z.output<typeof query> & {
        confirm?: string;
        hosts?: string[];
      };
      const named = host === undefined ? hosts : [host];
      const asked = kind.request.parse(named ? { hosts: named } : {});
      const answer = await startOperation(deps, request, {
        ...{ cluster, kind, asked, isPath: true, confirm, ifBusy },
        mode: dryRun === 'true' ? 'check' : 'apply',
        idempotencyKey: request.headers['idempotency-key'],
      });
      void reply.header('location', answer.links.operation);
      if (dryRun === 'false') return reply.code(202).send(answer);
      const { operation } = answer;
      const report = await answerDryRun(deps, { cluster, operation, actor: actorFor(request), log: request.log });
      return report ? reply.code(200).send(report) : reply.code(202).send(answer);
    },
  );
}
