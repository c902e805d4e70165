import { randomUUID } from 'node:crypto';
import { ERRORS, type ErrorCode } from '../../contracts/errors.ts';
import type { Change } from '../../contracts/status.ts';
import type { Api } from './api.ts';
import { CLI_EXIT } from './exit-codes.ts';
import { operationPath, watchOperation } from './operation.ts';
import { say } from './print.ts';

/** The answer of a dry run, as far as it is shown. */
export interface DryRun {
  cluster: string;
  operation: string;
  state: string;
  plan: { name: string; hosts: string[] }[];
  hosts: { host: string; changes: (Change & { phase: string })[] }[];
  changeCount: number;
  errors: { code: ErrorCode; message: string; host?: string }[];
}

interface Accepted {
  cluster: string;
  operation: string;
}

/** Sends a spec. One that the connection loses is not built twice: the key is the caller's. */
export const sendSpec = <Answer = Accepted>(api: Api, text: string, dryRun: boolean): Promise<Answer> =>
  api.request<Answer>('POST', '/clusters', {
    body: { text, type: 'application/yaml' },
    query: { dryRun: String(dryRun) },
    headers: { 'idempotency-key': randomUUID() },
  });

/** A dry run to its end, also one that takes longer than a request. */
export async function dryRunOf(api: Api, answer: DryRun | Accepted): Promise<DryRun> {
  if ('hosts' in answer) return answer;
  await watchOperation(api, answer.cluster, answer.operation);
  const { operation } = answer;
  const detail = await api.request<{
    tasks: { phase: string; host: string; error?: DryRun['errors'][number] }[];
    state: string;
    changes?: { phase: string; host: string; changes: Change[] }[];
  }>('GET', operationPath(answer.cluster, operation), { query: { changes: 'true' } });
  const hosts = new Map<string, DryRun['hosts'][number]>();
  for (const { phase, host, changes } of detail.changes ?? []) {
    const entry = hosts.get(host) ?? { host, changes: [] };
    entry.changes.push(...changes.map((change) => ({ ...change, phase })));
    hosts.set(host, entry);
  }
  const errors = detail.tasks.flatMap(({ error, host }) => (error ? [{ ...error, host }] : []));
  const listed = [...hosts.values()];
  const changeCount = listed.reduce((sum, { changes }) => sum + changes.length, 0);
  return { ...answer, state: detail.state, plan: [], hosts: listed, changeCount, errors };
}

/** What a dry run would change, per host, and the exit code. */
export function printDryRun({ plan, hosts, changeCount, errors, state }: DryRun): number {
  for (const { name, hosts: on } of plan) say(`phase ${name}: ${on.join(', ')}`);
  for (const { host, changes } of hosts) {
    if (changes.length > 0) say(`${host}:`);
    for (const { phase, action, resource, detail } of changes) say(`  ${action} ${resource} (${phase}): ${detail}`);
  }
  for (const { code, message, host } of errors) {
    say(`error${host === undefined ? '' : ` on ${host}`}: ${message} (${code})`);
    say(`  what to do: ${ERRORS[code].hint}`);
  }
  say(
    errors.length > 0
      ? `${errors.length} errors`
      : changeCount === 0
        ? 'nothing would change'
        : `${changeCount} changes`,
  );
  return errors.length > 0 || state !== 'succeeded' ? CLI_EXIT.refused : CLI_EXIT.ok;
}
