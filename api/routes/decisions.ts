import { setTimeout as sleep } from 'node:timers/promises';
import { requireKind, startedKind } from '../../activities/operations/kind-loader.ts';
import { accepted, actionRequest, amendRequest, replaceRequest, retryRequest } from '../../contracts/api.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { CONTROLLER_HOST } from '../../contracts/messages.ts';
import type { DecisionAction, OperationStatus } from '../../contracts/operation.ts';
import { dnsLabel } from '../../contracts/primitives.ts';
import { type ActionContext, actOnActive, actOnce } from '../action.ts';
import { withAddresses } from '../address-in-use.ts';
import { type Caller, callerOf } from '../caller.ts';
import { type Correct, corrected, correctedSpec, replaced, requireHost } from '../corrections.ts';
import type { ApiDeps } from '../deps.ts';
import { clusterParams, commandHeaders, defineRoutes, requireCluster, responses } from '../route.ts';
import { submitOperation } from '../submit.ts';

/** How often a correction is made anew when another one came in between, and the wait before it, ms. */
const ATTEMPTS = 5;
const BETWEEN_MS = 100;
/** The operation's new spec is in the store a moment after the command was taken. */
const KEEP = { keep: true };

/** What a person says of one host: retry, skip, replace or abort a blocked one; correct any while the operation waits. */
export default defineRoutes((api, deps) => {
  const config = { role: 'operator' as const };
  const schema = (id: string, summary: string) => ({
    operationId: id,
    summary,
    tags: ['hosts'],
    params: clusterParams.extend({ host: dnsLabel }),
    headers: commandHeaders,
    response: responses({ 202: accepted }),
  });

  api.post(
    '/clusters/:name/hosts/:host/retry',
    {
      config,
      schema: {
        ...schema('retryHost', 'Run the blocked tasks of a host again, with optional corrections'),
        body: retryRequest,
      },
    },
    async (request, reply) => {
      const { name: cluster, host } = request.params;
      const { headers, body } = request;
      const { phase, ...given } = body;
      if (phase !== undefined && !deps.phases.some((each) => each.name === phase)) {
        throw new KubewrightError('BAD_REQUEST', `body.phase: there is no phase ${phase}`);
      }
      const answer = await actOnActive(
        deps,
        request,
        { cluster, headers, body },
        { type: 'retry', host },
        (context, active) =>
          decide(deps, callerOf(request), active, { host, phase, action: 'retry' }, context, corrected(given)),
      );
      return reply.code(202).send(answer);
    },
  );

  for (const [action, summary] of [
    [
      'skip',
      'Put a blocked host into quarantine: the operation continues without it, and a heal can bring it back later',
    ],
    ['abort', 'End the operation as failed because of a blocked host. Running tasks end first'],
  ] as const) {
    api.post(
      `/clusters/:name/hosts/:host/${action}`,
      { config, schema: { ...schema(`${action}Host`, summary), body: actionRequest } },
      async (request, reply) => {
        const { name: cluster, host } = request.params;
        const { headers, body } = request;
        const answer = await actOnActive(
          deps,
          request,
          { cluster, headers, body },
          { type: action, host },
          (context, active) => decide(deps, callerOf(request), active, { host, action }, context),
        );
        return reply.code(202).send(answer);
      },
    );
  }

  api.post(
    '/clusters/:name/hosts/:host/replace',
    {
      config,
      schema: {
        ...schema(
          'replaceHost',
          'Give the name and the roles of a blocked host to another machine. For a host in quarantine this starts a heal',
        ),
        body: replaceRequest,
      },
    },
    async (request, reply) => {
      const { name: cluster, host } = request.params;
      const { headers, body } = request;
      const answer = await actOnce(
        deps,
        request,
        { cluster, headers, body },
        { type: 'replace', host },
        async (context, operation) => {
          const active = await deps.store.projections.activeOperation(cluster);
          const meant = active && (operation === undefined || operation === active.operationId);
          if (meant && active.blockedHosts.includes(host)) {
            return await decide(deps, callerOf(request), active, { host, action: 'replace' }, context, replaced(body));
          }
          return await replaceInQuarantine(deps, callerOf(request), cluster, host, replaced(body), context);
        },
      );
      return reply.code(202).send(answer);
    },
  );

  api.patch(
    '/clusters/:name/hosts/:host',
    {
      config,
      schema: {
        ...schema(
          'correctHost',
          'Change settings of a host while the operation is paused or blocked. Later tasks use them',
        ),
        body: amendRequest,
      },
    },
    async (request, reply) => {
      const { name: cluster, host } = request.params;
      const { headers, body } = request;
      const answer = await actOnActive(
        deps,
        request,
        { cluster, headers, body },
        { type: 'amend', host },
        (context, active) =>
          onPresentSpec(deps, active, context, async ({ operationId, specRef: baseSpecRef }) => {
            const specRef = await correctedSpec(deps, callerOf(request), requireKind(deps.kinds, active.kind), {
              ...{ specRef: baseSpecRef, host, correct: corrected(body)! },
            });
            return withAddresses(
              deps,
              specRef,
              () => deps.temporal.amend(cluster, operationId, { ...context, host, specRef, baseSpecRef }),
              KEEP,
            );
          }),
      );
      return reply.code(202).send(answer);
    },
  );
});

/** Send one decision, with the spec corrected if there is something to correct. */
function decide(
  deps: ApiDeps,
  caller: Caller,
  active: OperationStatus,
  what: { host: string; phase?: string | undefined; action: DecisionAction },
  context: ActionContext,
  correct?: Correct,
) {
  const { expectedVersion, ...reported } = context;
  const kind = requireKind(deps.kinds, active.kind);
  return onPresentSpec(deps, active, context, async ({ cluster, operationId, specRef: baseSpecRef }) => {
    // Tasks of the worker process block as well; there is nothing to correct, but they can be tried again.
    if (what.host !== CONTROLLER_HOST || correct) requireHost(await deps.store.specs.get(baseSpecRef), what.host);
    const specRef =
      correct && (await correctedSpec(deps, caller, kind, { specRef: baseSpecRef, host: what.host, correct }));
    const correction = specRef === undefined ? {} : { specRef, baseSpecRef };
    const send = () =>
      deps.temporal.decide(cluster, operationId, { items: [{ ...what, ...reported, ...correction }], expectedVersion });
    return specRef === undefined ? send() : withAddresses(deps, specRef, send, KEEP);
  });
}

/**
 * Two corrections at once must not undo each other: the operation refuses one that was made on a spec that is not its
 * present one. Unless the caller named the view, the correction is made anew on what the operation has by then.
 */
async function onPresentSpec<T>(
  deps: ApiDeps,
  active: OperationStatus,
  { expectedVersion }: ActionContext,
  send: (active: OperationStatus) => Promise<T>,
): Promise<T> {
  for (let attempt = 1, view = active; ; attempt++) {
    try {
      return await send(view);
    } catch (error) {
      const stale = KubewrightError.is(error) && error.code === 'STALE_VERSION';
      if (!stale || expectedVersion !== undefined || attempt === ATTEMPTS) throw error;
      await sleep(BETWEEN_MS);
      view = (await deps.store.projections.operation(active.cluster, active.operationId)) ?? view;
    }
  }
}

/** A new machine for a host that is out: an operation that brings it in, on the corrected spec. Throws HOST_NOT_BLOCKED for a host that is in. */
async function replaceInQuarantine(
  deps: ApiDeps,
  caller: Caller,
  cluster: string,
  host: string,
  correct: Correct,
  { requestId }: ActionContext,
) {
  const kind = startedKind(deps.kinds, 'replacement');
  const { specRef: present } = await requireCluster(deps, cluster);
  requireHost(await deps.store.specs.get(present), host);
  const quarantine = await deps.store.projections.quarantine(cluster);
  if (!quarantine.some((each) => each.host === host)) {
    throw new KubewrightError('HOST_NOT_BLOCKED', `host ${host} has no blocked task and is not in quarantine`);
  }
  const specRef = await correctedSpec(deps, caller, kind, { specRef: present, host, correct });
  const operationId = await submitOperation(deps, {
    cluster,
    kind: kind.name,
    mode: 'apply',
    specRef,
    hosts: [host],
    replaced: [host],
    actor: caller.actor,
    idempotencyKey: `${requestId}.heal`,
  });
  return { operationId };
}
