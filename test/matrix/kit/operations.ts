import type { Change, OperationStatus } from '../../../contracts/operation.ts';
import type { MatrixKit } from './kit.ts';

/** States in which an operation runs no further by itself. */
const OVER = ['succeeded', 'failed', 'cancelled', 'lost'];

/** What is wrong with an operation, task by task. */
export const troubleOf = (status: OperationStatus): string =>
  [
    `operation ${status.operationId} is ${status.state}`,
    ...status.tasks.flatMap(({ phase, host, error }) =>
      error ? [`${phase} on ${host}: ${error.code} ${error.message}\n${error.evidence ?? ''}`.trim()] : [],
    ),
  ].join('\n');

/** Sends a request that begins an operation, and waits until it ends or is blocked. */
export async function operate(kit: MatrixKit, method: string, path: string, body?: unknown): Promise<OperationStatus> {
  const { operation } = await kit.bench.api.request<{ operation: string }>(method, path, body);
  return kit.bench.api.follow(kit.bench.name, operation);
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

/** Removes the cluster; an operation that is blocked is cancelled before. Nothing to do for one that never was. */
export async function removeCluster(kit: MatrixKit): Promise<void> {
  const { api, name } = kit.bench;
  const { items } = await api.request<{ items: { name: string; operation: string | null }[] }>('GET', '/clusters');
  const known = items.find((each) => each.name === name);
  if (!known) return;
  const { operation } = known;
  if (operation !== null && !OVER.includes((await api.operation(name, operation)).state)) {
    await api.request('POST', `/clusters/${name}/cancel`, { operation });
    await api.follow(name, operation, undefined, ['succeeded', 'failed', 'cancelled', 'lost']);
  }
  const status = await operate(kit, 'DELETE', `/clusters/${name}?confirm=${name}`);
  if (status.state !== 'succeeded') throw new Error(troubleOf(status));
}
