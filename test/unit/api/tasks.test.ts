import { beforeEach, describe, expect, it } from 'vitest';
import { taskCursor } from '../../../api/task-cursor.ts';
import type { OperationStatus, TaskStatus } from '../../../contracts/operation.ts';
import { type Json, spec, type TestApi, testApi } from './support.ts';

let api: TestApi;
beforeEach(async () => {
  api = await testApi();
  await api.call('POST', '/clusters', { body: spec() });
  return () => api.close();
});

const OPERATION = '/clusters/demo/operations/op-1';
const task = (n: number, more: Partial<TaskStatus> = {}): TaskStatus => ({
  ...{ phase: n % 2 === 0 ? 'prepare' : 'flannel', host: `w-${n}`, state: 'succeeded', attempt: 1, decision: 0 },
  ...more,
});
const tasks = (count: number) => Array.from({ length: count }, (_, n) => task(n));
const save = async (more: Partial<OperationStatus>) =>
  api.store.projections.saveOperation({ ...(await api.store.projections.operation('demo', 'op-1'))!, ...more });
const get = async (path: string) => (await api.call('GET', path, { as: 'viewer' })).body;
const hostsOf = (body: Json, of = 'items') => (body[of] as { host: string }[]).map(({ host }) => host);

describe('an operation of many tasks', () => {
  beforeEach(() => save({ tasks: tasks(1_203) }));

  it('answers its first 1,000 with all counts, and the cursor of the others', async () => {
    const body = await get(OPERATION);
    expect(hostsOf(body, 'tasks')).toEqual(tasks(1_000).map(({ host }) => host));
    expect(body).toMatchObject({ taskCounts: { succeeded: 1_203 }, tasksNext: expect.any(String) });
    const seen: string[] = [];
    for (let cursor = body['tasksNext'] as string | null; cursor !== null; ) {
      const page = await get(`${OPERATION}/tasks?limit=100&cursor=${cursor}`);
      seen.push(...hostsOf(page));
      cursor = page['next'] as string | null;
    }
    expect(seen).toEqual(
      tasks(1_203)
        .slice(1_000)
        .map(({ host }) => host),
    );
    // The cluster's view is bounded as well, and counts all of them.
    const cluster = await get('/clusters/demo');
    expect(cluster['tasks']).toHaveLength(1_000);
    expect(cluster['taskCounts']).toEqual({ succeeded: 1_203 });
  });

  it('pages all of them from the beginning, 50 by default, also of one phase, host or state', async () => {
    await save({ tasks: [task(4, { state: 'running' })] });
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: Json = await get(`${OPERATION}/tasks${cursor === '' ? '' : `?cursor=${cursor}`}`);
      expect((page['items'] as unknown[]).length).toBeLessThanOrEqual(50);
      seen.push(...hostsOf(page));
      cursor = page['next'] as string | null;
    }
    expect(seen).toEqual(tasks(1_203).map(({ host }) => host));
    expect(hostsOf(await get(`${OPERATION}/tasks?phase=flannel&limit=2`))).toEqual(['w-1', 'w-3']);
    expect(await get(`${OPERATION}/tasks?host=w-7`)).toMatchObject({ items: [{ host: 'w-7' }], next: null });
    expect(await get(`${OPERATION}/tasks?state=running`)).toMatchObject({ items: [{ host: 'w-4' }], next: null });
    expect(await get(`${OPERATION}/tasks?state=running&phase=flannel`)).toEqual({ items: [], next: null });
  });
});

it('an operation of a small cluster answers all tasks at once', async () => {
  await save({ tasks: tasks(3) });
  const body = await get(OPERATION);
  expect(body).toMatchObject({ tasksNext: null, taskCounts: { succeeded: 3 } });
  expect(hostsOf(body, 'tasks')).toEqual(['w-0', 'w-1', 'w-2']);
});

it('pages show what each task changed, when asked', async () => {
  const changes = [{ resource: 'file:/etc/hosts', action: 'create' as const, detail: 'new' }];
  await save({ tasks: tasks(2) });
  const round = { cluster: 'demo', operationId: 'op-1', phase: 'prepare', host: 'w-0', round: 1 };
  await api.store.taskChanges.save(round, { changes, changeCount: 1 });
  expect((await get(`${OPERATION}/tasks?changes=true`))['items']).toMatchObject([{ changes }, { changes: [] }]);
  expect((await get(`${OPERATION}/tasks`))['items']).toEqual(tasks(2));
});

it('an operation shows 20,000 changes at once, and pages show the others', async () => {
  const changes = Array.from({ length: 200 }, (_, n) => ({
    ...{ resource: `file:/${n}`, action: 'create' as const, detail: 'new' },
  }));
  await save({ tasks: tasks(102) });
  for (const { phase, host } of tasks(102)) {
    const round = { cluster: 'demo', operationId: 'op-1', phase, host, round: 1 };
    await api.store.taskChanges.save(round, { changes, changeCount: 300 });
  }
  const listed = (await get(`${OPERATION}?changes=true`))['changes'] as { changes: unknown[]; changeCount: number }[];
  expect(listed.map((each) => each.changes.length)).toEqual([...Array<number>(100).fill(200), 0, 0]);
  expect(listed.every(({ changeCount }) => changeCount === 300)).toBe(true);
  const last = await get(`${OPERATION}/tasks?changes=true&host=w-101`);
  expect(last['items']).toMatchObject([{ changes }]);
});

describe('what is asked for wrongly is refused by the name of the field', () => {
  const ofOther = taskCursor({ cluster: 'demo', operationId: 'op-2' }, { position: 1, task: 'prepare:w-1' })!;
  const good = taskCursor({ cluster: 'demo', operationId: 'op-1' }, { position: 1, task: 'prepare:w-1' })!;
  it.each([
    ['limit=0', 'limit'],
    ['limit=10000', 'limit'],
    ['limit=ten', 'limit'],
    ['state=resting', 'state'],
    ['phase=../etc', 'phase'],
    ['host=W_1', 'host'],
    ['changes=1', 'changes'],
    [`cursor=${ofOther}`, 'cursor'],
    [`cursor=${good.replace(/.$/, (last) => (last === '0' ? '1' : '0'))}`, 'cursor'],
    ['cursor=01J0000000000000000000000', 'cursor'],
    ['cursor=2026-11-30T00:00:00.000Z_op-1', 'cursor'],
    ['cursor=', 'cursor'],
    [`cursor=${'t'.repeat(300)}`, 'cursor'],
  ])('?%s', async (query, field) => {
    await save({ tasks: tasks(2) });
    const { status, body } = await api.call('GET', `${OPERATION}/tasks?${query}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'BAD_REQUEST', errors: [{ path: `query.${field}` }] });
  });

  it('what is not in the schema', async () => {
    const { status, text } = await api.call('GET', `${OPERATION}/tasks?page=2`);
    expect(status).toBe(400);
    expect(text).toContain('page');
  });

  it('an operation that is not there', async () => {
    for (const path of ['/clusters/demo/operations/op-9/tasks', '/clusters/other/operations/op-1/tasks']) {
      expect((await api.call('GET', path)).status).toBe(404);
    }
    expect((await api.call('GET', `${OPERATION}/tasks`, { as: null })).status).toBe(401);
  });

  it('a cursor of this operation is taken', async () => {
    await save({ tasks: tasks(2) });
    expect((await api.call('GET', `${OPERATION}/tasks?cursor=${good}`)).status).toBe(200);
  });
});
