import type { FastifyBaseLogger, FastifyReply } from 'fastify';
import { z } from 'zod';
import { accepted, dryRunAnswer } from '../../contracts/api.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { dnsLabel } from '../../contracts/primitives.ts';
import { type Caller, callerOf } from '../caller.ts';
import type { ApiDeps } from '../deps.ts';
import { answerDryRun } from '../dry-run.ts';
import { requireRemovable } from '../removable.ts';
import { requireLogins } from '../require-logins.ts';
import {
  clusterParams,
  defineRoutes,
  idempotencyHeaders,
  operationLinks,
  requireCluster,
  responses,
} from '../route.ts';
import { submitOperation } from '../submit.ts';

const query = z.strictObject({
  confirm: z.string().max(63).optional().describe('Repeat the name that is to be removed'),
  dryRun: z
    .enum(['true', 'false'])
    .default('false')
    .describe('True: change nothing and answer with what would be removed'),
  ifBusy: z
    .enum(['queue', 'refuse'])
    .default('queue')
    .describe('When another operation of the cluster runs: refuse the request, or queue it'),
});

/** DELETE /clusters/:name and DELETE /clusters/:name/hosts/:host: everything that Kubewright placed is taken back. */
export default defineRoutes((api, deps) => {
  const schema = (operationId: string, summary: string) => ({
    operationId,
    summary,
    tags: ['clusters'],
    headers: idempotencyHeaders,
    querystring: query,
    response: responses({ 200: dryRunAnswer, 202: accepted }),
  });

  api.delete(
    '/clusters/:name',
    {
      config: { role: 'admin' },
      schema: {
        ...schema(
          'deleteCluster',
          'Delete a cluster: remove everything that Kubewright placed on its hosts. Needs ?confirm=<name>',
        ),
        params: clusterParams,
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      requireConfirmed(name, request.query);
      return await submit(deps, reply, {
        cluster: name,
        caller: callerOf(request),
        query: request.query,
        idempotencyKey: request.headers['idempotency-key'],
        log: request.log,
      });
    },
  );

  api.delete(
    '/clusters/:name/hosts/:host',
    {
      config: { role: 'operator' },
      schema: {
        ...schema(
          'deleteHost',
          'Remove a host: drain it, delete its node, remove everything that Kubewright placed there, and delete it from the spec',
        ),
        params: clusterParams.extend({ host: dnsLabel }),
      },
    },
    async (request, reply) => {
      const { name, host } = request.params;
      const { specRef } = await requireCluster(deps, name);
      requireRemovable(await deps.store.specs.get(specRef), host, deps.phases);
      requireConfirmed(host, request.query);
      return await submit(deps, reply, {
        cluster: name,
        hosts: [host],
        caller: callerOf(request),
        query: request.query,
        idempotencyKey: request.headers['idempotency-key'],
        log: request.log,
      });
    },
  );
});

/** A dry run needs no word. Throws NOT_CONFIRMED. */
function requireConfirmed(name: string, { confirm, dryRun }: z.output<typeof query>): void {
  if (dryRun === 'true' || confirm === name) return;
  const problem = confirm === undefined ? 'the request has no ?confirm=' : `?confirm=${confirm} is not`;
  throw new KubewrightError('NOT_CONFIRMED', `${problem}${confirm === undefined ? name : ` ${name}`}`);
}

async function submit(
  deps: ApiDeps,
  reply: FastifyReply,
  request: {
    cluster: string;
    hosts?: string[];
    caller: Caller;
    query: z.output<typeof query>;
    idempotencyKey: string | undefined;
    log: FastifyBaseLogger;
  },
) {
  const { cluster, hosts, caller, idempotencyKey, log } = request;
  const { actor } = caller;
  const dryRun = request.query.dryRun === 'true';
  const { specRef } = await requireCluster(deps, cluster);
  // A whole teardown forgets what was approved: an admin who repeats it approves it again.
  const spec = await deps.store.specs.get(specRef);
  await requireLogins(deps, caller, spec, spec);
  const operation = await submitOperation(deps, {
    cluster,
    kind: 'teardown',
    mode: dryRun ? 'check' : 'apply',
    specRef,
    hosts,
    actor,
    ifBusy: request.query.ifBusy,
    idempotencyKey,
  });
  const links = operationLinks(cluster, operation);
  void reply.header('location', links.operation);
  const report = dryRun ? await answerDryRun(deps, { cluster, operation, actor, log }) : null;
  return report ? reply.code(200).send(report) : reply.code(202).send({ cluster, operation, links });
}
