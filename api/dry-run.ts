import type { FastifyBaseLogger } from 'fastify';
import type { z } from 'zod';
import type { dryRunAnswer } from '../contracts/api.ts';
import { type ErrorReport, KubewrightError } from '../contracts/errors.ts';
import type { Actor, Change, OperationStatus } from '../contracts/operation.ts';
import type { Plan } from '../contracts/plan.ts';
import type { TaskChanges } from '../contracts/status.ts';
import { FINAL_STATES } from '../store/changes.ts';
import type { ApiDeps } from './deps.ts';
import { operationLinks } from './route.ts';

/** A proxy gives up after a minute or so; so do we, before it. */
const WAIT_MS = 60_000;
/** What is queued waits for another operation, and that one perhaps for a person: no request waits for them, ms. */
const QUEUED_WAIT_MS = 5_000;
/** How often the read model is looked at when no save in this process wakes us, ms. */
const POLL_MS = 500;

/**
 * Wait until the operation has ended, waits for a person, or must wait for another one. Returns its status; the caller
 * looks at its state. `cluster` and `operation` must exist.
 */
export async function waitForOperation(deps: ApiDeps, cluster: string, operation: string): Promise<OperationStatus> {
  const waitMs = deps.dryRunWaitMs ?? WAIT_MS;
  const [until, queuedUntil] = [Date.now() + waitMs, Date.now() + Math.min(waitMs, QUEUED_WAIT_MS)];
  for (;;) {
    const changed = changeOf(deps, cluster, Math.min(POLL_MS, Math.max(1, until - Date.now())));
    const status = await deps.store.projections.operation(cluster, operation);
    if (!status) throw new KubewrightError('NOT_FOUND', `there is no operation ${operation}`);
    const late = Date.now() >= (status.state === 'queued' ? queuedUntil : until);
    if (FINAL_STATES.has(status.state) || status.state === 'blocked' || late) {
      changed.stop();
      return status;
    }
    await changed.promise;
  }
}

/** Resolves at the next saved change of the cluster (undefined: of any) in this process, or after the time. */
export function changeOf(
  deps: ApiDeps,
  cluster: string | undefined,
  ms: number,
): { promise: Promise<void>; stop(): void } {
  let stop = () => undefined as void;
  const promise = new Promise<void>((resolve) => {
    const timer = setTimeout(() => stop(), ms);
    const off = deps.store.projections.onChange((name) => {
      if (cluster === undefined || name === cluster) stop();
    });
    stop = () => {
      clearTimeout(timer);
      off();
      resolve();
    };
  });
  return { promise, stop: () => stop() };
}

/**
 * Wait for a dry run and report what it found; null when it takes longer than a request may. One that is blocked is
 * ended: a dry run takes no decisions, and what was found is the answer.
 */
export async function answerDryRun(
  deps: ApiDeps,
  { cluster, operation, actor, log }: { cluster: string; operation: string; actor: Actor; log: FastifyBaseLogger },
): Promise<z.infer<typeof dryRunAnswer> | null> {
  const status = await waitForOperation(deps, cluster, operation);
  if (status.state === 'blocked') {
    await deps.temporal
      .cancel(cluster, { operationId: operation, actor, requestId: `${operation}-end` })
      .catch((error: unknown) => log.warn({ err: error }, 'the API could not end a blocked dry run'));
  } else if (!FINAL_STATES.has(status.state)) {
    return null;
  }
  const plan = await deps.store.plans.get(cluster, operation);
  return dryRunReport(status, plan, await deps.store.taskChanges.of(status, status.tasks));
}

/** What would be done on which host. Pure. */
export function dryRunReport(
  status: OperationStatus,
  plan: Plan | null,
  found: readonly TaskChanges[],
): z.infer<typeof dryRunAnswer> {
  const { cluster, operationId } = status;
  const byHost = new Map<string, (Change & { phase: string })[]>();
  for (const { phase, host, changes } of found) {
    const known = byHost.get(host) ?? [];
    known.push(...changes.map((change) => ({ phase, ...change })));
    byHost.set(host, known);
  }
  const errors: ErrorReport[] = status.tasks.flatMap((task) => (task.error ? [task.error] : []));
  if (status.error) errors.push(status.error);
  return {
    cluster,
    operation: operationId,
    state: status.state,
    plan: (plan?.phases ?? []).map(({ name, title, hosts, needs }) => ({ name, title, hosts, needs })),
    hosts: [...byHost].map(([host, changes]) => ({ host, changes })),
    changeCount: found.reduce((sum, task) => sum + task.changeCount, 0),
    errors: errors.slice(0, 1000),
    ...(status.health ? { health: status.health } : {}),
    links: operationLinks(cluster, operationId),
  };
}
