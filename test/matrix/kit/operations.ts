import type { Change, OperationStatus } from '../../../contracts/operation.ts';
import { troubleOf } from '../../support/trouble.ts';
import type { MatrixKit } from './kit.ts';

/** States in which an operation runs no further by itself. */
const OVER: readonly OperationStatus['state'][] = ['succeeded', 'failed', 'cancelled', 'lost'];

/**
 * Sends a request that begins an operation, and waits until it ends or is blocked. A blocked one is cancelled after that: the
 * operations of later steps would wait behind it. Returns the status as it was before.
 */
export async function operate(kit: MatrixKit, method: string, path: string, body?: unknown): Promise<OperationStatus> {
  const { operation } = await kit.bench.api.request<{ operation: string }>(method, path, body);
  const status = await kit.bench.api.follow(kit.bench.name, operation);
  if (status.state === 'blocked') await cancel(kit, operation);
  return status;
}

async function cancel({ bench: { api, name } }: MatrixKit, operation: string): Promise<void> {
  await api.request('POST', `/clusters/${name}/cancel`, { operation });
  await api.follow(name, operation, undefined, OVER);
}

/** Builds the spec of the kit. Throws an Error with what is blocked. */
export async function build(kit: MatrixKit): Promise<OperationStatus> {
  const status = await operate(kit, 'POST', '/clusters', kit.document);
  if (status.state !== 'succeeded') throw new Error(troubleOf(status));
  await kit.readKubeconfig();
  return status;
}

/** What an operation changed: `<phase> on <host>: <action> <resource>`. */
export async function changesOf(kit: MatrixKit, { operationId }: OperationStatus): Promise<string[]> {
  const { changes } = await kit.bench.api.request<{
    changes: { phase: string; host: string; changes: Change[] }[];
  }>('GET', `/clusters/${kit.bench.name}/operations/${operationId}?changes=true`);
  return changes.flatMap(({ phase, host, changes: each }) =>
    each.map(({ action, resource, detail }) => `${phase} on ${host}: ${action} ${resource} ${detail}`.trim()),
  );
}

/** Builds the same spec again. Throws an Error with every change and restart. */
export async function buildsWithoutChange(kit: MatrixKit): Promise<void> {
  const status = await build(kit);
  const restarts = status.tasks.flatMap(({ phase, host, restarts: count = 0 }) =>
    count > 0 ? [`${phase} on ${host}: ${count} restarts`] : [],
  );
  const found = [...(await changesOf(kit, status)), ...restarts];
  if (found.length > 0) throw new Error(`the second build is not without changes:\n${found.join('\n')}`);
}

/** Removes the cluster; an operation that still runs, after a step that took too long, is cancelled before. Nothing to do for one that never was. */
export async function removeCluster(kit: MatrixKit): Promise<void> {
  const { api, name } = kit.bench;
  const { items } = await api.request<{ items: { name: string; operation: string | null }[] }>('GET', '/clusters');
  const known = items.find((each) => each.name === name);
  if (!known) return;
  const { operation } = known;
  if (operation !== null && !OVER.includes((await api.operation(name, operation)).state)) await cancel(kit, operation);
  const status = await operate(kit, 'DELETE', `/clusters/${name}?confirm=${name}`);
  if (status.state !== 'succeeded') throw new Error(troubleOf(status));
}
