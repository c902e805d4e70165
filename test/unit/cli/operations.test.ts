import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { TaskStatus } from '../../../contracts/operation.ts';
import { planOf, sameHost } from '../../support/temporal-plan.ts';
import { spec, type TestApi, testApi } from '../api/support.ts';

vi.setConfig({ testTimeout: 120_000 });

let api: TestApi;
let url: string;
const task = (n: number, more: Partial<TaskStatus> = {}): TaskStatus => ({
  ...{ phase: 'prepare', host: `w-${n}`, state: 'succeeded', attempt: 1, decision: 0, changeCount: 0, ...more },
});

beforeAll(async () => {
  api = await testApi();
  await api.call('POST', '/clusters', { body: spec() });
  const status = (await api.store.projections.operation('demo', 'op-1'))!;
  const tasks = Array.from({ length: 250 }, (_, n) => task(n));
  tasks[249] = task(249, {
    state: 'blocked',
    changeCount: undefined,
    error: { code: 'SSH_UNREACHABLE', message: 'no route\u001b[2J to it' },
  });
  await api.store.projections.saveOperation({ ...status, state: 'blocked', tasks });
  const round = { cluster: 'demo', operationId: 'op-1', phase: 'prepare', host: 'w-7', round: 1 };
  const change = { resource: 'file:/etc/hosts', action: 'update' as const, detail: 'content differs' };
  await api.store.taskChanges.save(round, { changes: [change], changeCount: 1 });
  const phases = [
    { name: 'prepare', hosts: ['w-0', 'w-1'] },
    { name: 'flannel', hosts: ['w-0'], needs: [sameHost('prepare')] },
  ];
  await api.store.plans.save('op-1', planOf('demo', phases, { windows: [] }));
  url = await api.app.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(() => api.close());

const main = join(import.meta.dirname, '../../../cli/main.ts');
/** The real process, beside the API in this one. */
async function show(...args: string[]): Promise<{ code: number | null; out: string[]; err: string }> {
  const env = { ...process.env, KUBEWRIGHT_URL: url, KUBEWRIGHT_TOKEN: api.token.viewer };
  const child = spawn(process.execPath, [main, 'operations', 'show', ...args], { env });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out: out.trimEnd().split('\n'), err };
}

it('`operations show` prints all tasks of an operation, its plan and what its tasks changed', async () => {
  const { code, out, err } = await show('demo', 'op-1', '--plan', '--changes');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out[0]).toContain('op-1: build, mode apply, by admin, blocked; tasks: ');
  expect(out[0]).toContain('249 succeeded');
  expect(out.slice(1, 3)).toEqual([
    'plan: prepare on w-0, w-1; at most 1000 at once',
    'plan: flannel on w-0; at most 1000 at once; after prepare (same-host)',
  ]);
  expect(out.filter((line) => line.startsWith('prepare on '))).toHaveLength(250);
  expect(out[out.indexOf('prepare on w-7: succeeded, 0 changes') + 1]).toBe(
    '  update file:/etc/hosts: content differs',
  );
  expect(out.at(-1)).toBe('prepare on w-249: blocked: no route\\u{1b}[2J to it (SSH_UNREACHABLE)');
});

it('`operations show` filters tasks, prints JSON, and exits with 5 and the reason for what is not there', async () => {
  expect((await show('demo', 'op-1', '--state', 'blocked')).out).toHaveLength(2);
  const json = JSON.parse((await show('demo', 'op-1', '--host', 'w-7', '--plan', '--json')).out.join('')) as object;
  expect(json).toMatchObject({ operationId: 'op-1', plan: { planVersion: 1 }, tasks: [{ host: 'w-7' }] });
  const absent = await show('demo', 'op-9');
  expect(absent).toMatchObject({ code: 5, out: [''] });
  expect(absent.err).toContain('has no operation op-9');
  expect((await show('demo', 'op-1', '--state', 'resting')).err).toContain('query.state');
});
