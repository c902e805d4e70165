import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { accepted, cancelRequest, commandRequest, pauseRequest } from '../../contracts/api.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { sshSettings } from '../../contracts/host.ts';
import { address, dnsLabel } from '../../contracts/primitives.ts';
import { validateClusterSpec } from '../../contracts/spec-parse.ts';
import type { ApiDeps } from '../deps.ts';
import { actorFor } from '../plugins/auth.ts';
import { phaseValidator } from '../validate-phases.ts';
import {
  type AddRoutes,
  clusterParams,
  idempotencyHeaders,
  operationLinks,
  requireCluster,
  responses,
} from './shared.ts';

const retryRequest = z
  .strictObject({
    phase: dnsLabel.optional().describe('Default: every blocked task of the host'),
    address: address.optional().describe('A corrected address of the host'),
    ssh: sshSettings.optional().describe('Corrected SSH settings of the host'),
    reason: z.string().max(500).optional(),
  })
  .prefault({});

/** What a person says of a running operation: pause, resume, cancel, retry a host. */
export const commands: AddRoutes = (api, deps) => {
  const schema = (id: string, summary: string) => ({
    operationId: id,
    summary,
    tags: ['operations'],
    params: clusterParams,
    headers: idempotencyHeaders,
    response: responses({ 202: accepted }),
  });
  const answer = (cluster: string, operation: string) => ({
    cluster,
    operation,
    links: operationLinks(cluster, operation),
  });
  const config = { role: 'operator' as const };
  const requestIdOf = (headers: { 'idempotency-key'?: string | undefined }) =>
    headers['idempotency-key'] ?? randomUUID();

  api.post(
    '/clusters/:name/pause',
    {
      config,
      schema: { ...schema('pause', 'Start no new task; let running ones end, or interrupt them'), body: pauseRequest },
    },
    async (request, reply) => {
      const { name } = request.params;
      await requireKnown(deps, name);
      const input = { ...request.body, actor: actorFor(request), requestId: requestIdOf(request.headers) };
      const { operationId } = await deps.temporal.pause(name, input);
      return reply.code(202).send(answer(name, operationId));
    },
  );

  api.post(
    '/clusters/:name/resume',
    { config, schema: { ...schema('resume', 'Go on after a pause'), body: commandRequest } },
    async (request, reply) => {
      const { name } = request.params;
      await requireKnown(deps, name);
      const input = { ...request.body, actor: actorFor(request), requestId: requestIdOf(request.headers) };
      const { operationId } = await deps.temporal.resume(name, input);
      return reply.code(202).send(answer(name, operationId));
    },
  );

  api.post(
    '/clusters/:name/cancel',
    {
      config,
      schema: { ...schema('cancel', 'End the running operation; what was done is kept'), body: cancelRequest },
    },
    async (request, reply) => {
      const { name } = request.params;
      await requireKnown(deps, name);
      const { operationId } = await deps.temporal.cancel(name, {
        operationId: request.body.operation,
        reason: request.body.reason,
        actor: actorFor(request),
        requestId: requestIdOf(request.headers),
      });
      return reply.code(202).send(answer(name, operationId));
    },
  );

  api.post(
    '/clusters/:name/hosts/:host/retry',
    {
      config,
      schema: {
        ...schema('retryHost', 'Run the blocked tasks of a host again, with corrected SSH settings if given'),
        params: clusterParams.extend({ host: dnsLabel }),
        body: retryRequest,
      },
    },
    async (request, reply) => {
      const { name, host } = request.params;
      const { phase, reason: _reason, ...corrections } = request.body;
      await requireKnown(deps, name);
      const specRef = await correctedSpec(deps, name, host, corrections);
      if (phase !== undefined) await requireBlocked(deps, name, host, phase);
      const { operationId } = await deps.temporal.decide(name, {
        items: [
          { host, phase, action: 'retry', specRef, actor: actorFor(request), requestId: requestIdOf(request.headers) },
        ],
      });
      return reply.code(202).send(answer(name, operationId));
    },
  );
};

/** Throws NOT_FOUND unless the cluster exists, if only as the subject of a dry run. */
async function requireKnown(deps: ApiDeps, cluster: string): Promise<void> {
  if (!(await deps.store.projections.latestOperation(cluster))) await requireCluster(deps, cluster);
}

/** The entity knows blocked hosts, not their tasks; a task becomes readable as blocked once it takes decisions. */
async function requireBlocked(deps: ApiDeps, cluster: string, host: string, phase: string): Promise<void> {
  const status = await deps.store.projections.latestOperation(cluster);
  const task = status?.tasks.find((each) => each.host === host && each.phase === phase);
  if (task?.state === 'blocked') return;
  const found = task ? `is ${task.state}` : 'is not part of the operation';
  throw new KubewrightError('HOST_NOT_BLOCKED', `the phase ${phase} of host ${host} ${found}`);
}

/** The present spec with corrections of one host, stored; undefined when nothing is corrected. Throws SPEC_INVALID. */
async function correctedSpec(
  deps: ApiDeps,
  cluster: string,
  host: string,
  corrections: Pick<z.infer<typeof retryRequest>, 'address' | 'ssh'>,
): Promise<string | undefined> {
  const { specRef } = await requireCluster(deps, cluster);
  const spec = structuredClone(await deps.store.specs.get(specRef));
  const found = spec.spec.hosts.find((each) => each.name === host);
  if (!found) throw new KubewrightError('NOT_FOUND', `the cluster ${cluster} has no host named ${host}`);
  if (corrections.address === undefined && corrections.ssh === undefined) return undefined;
  if (corrections.address !== undefined) found.address = corrections.address;
  if (corrections.ssh !== undefined) found.ssh = { ...found.ssh, ...corrections.ssh };
  return deps.store.specs.put(validateClusterSpec(spec, phaseValidator(deps.phases)));
}
