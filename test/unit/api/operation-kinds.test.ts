import { beforeEach, describe, expect, it } from 'vitest';
import { withToyOperation } from '../../support/toy-operation.ts';
import { type Json, spec, type TestApi, testApi } from './support.ts';

let api: TestApi;
beforeEach(async () => {
  api = await testApi({ kinds: await withToyOperation() });
  await api.call('POST', '/clusters', { body: spec() });
  return () => api.close();
});

it('a check of an earlier version is shown as a build in mode check', async () => {
  const { projections } = api.store;
  const built = (await projections.operation('demo', 'op-1'))!;
  await projections.saveOperation({ ...built, operationId: 'op-9', kind: 'check', mode: 'check', state: 'succeeded' });
  const shown = { kind: 'build', mode: 'check' };
  expect((await api.call('GET', '/clusters/demo/operations/op-9')).body).toMatchObject(shown);
  const { body } = await api.call('GET', '/clusters/demo/operations');
  expect((body['items'] as Json[]).find((each) => each['operationId'] === 'op-9')).toMatchObject(shown);
  // What was written stays: bundles and chains say the same.
  expect(await projections.operation('demo', 'op-9')).toMatchObject({ kind: 'check' });
});

describe('a kind of operation in one new file', () => {
  const start = (body: object, as: 'operator' | 'admin' = 'admin') =>
    api.call('POST', '/clusters/demo/operations', { body: { kind: 'restart-time', ...body }, as });
  const built = async () =>
    api.store.projections.saveOperation({
      ...(await api.store.projections.operation('demo', 'op-1'))!,
      state: 'succeeded',
    });

  it('is refused by its guard, for other roles, and with fields that it does not have', async () => {
    expect(await start({})).toMatchObject({ status: 409, body: { detail: expect.stringContaining('not built') } });
    await built();
    expect(await start({}, 'operator')).toMatchObject({
      status: 403,
      body: { detail: expect.stringContaining('needs the role admin') },
    });
    for (const [body, detail] of [
      [{ afterSeconds: 61 }, 'body.afterSeconds must be at most 60'],
      [{ hosts: ['w-9'] }, 'body.hosts: there is no w-9'],
      [{ phases: ['prepare'] }, 'unknown key `phases`'],
    ] as const) {
      expect(await start(body)).toMatchObject({ status: 400, body: { detail: expect.stringContaining(detail) } });
    }
    expect(api.temporal.submitted).toHaveLength(1);
  });

  it('is accepted with its fields, in each of its modes, and its end is the state of the cluster', async () => {
    await built();
    expect(await start({ mode: 'check' })).toMatchObject({ status: 202, body: { operation: 'op-2' } });
    expect(await start({ hosts: ['cp-1'], afterSeconds: 5 })).toMatchObject({ status: 202 });
    expect(api.temporal.submitted.slice(1)).toMatchObject([
      { kind: 'restart-time', mode: 'check', options: { afterSeconds: 0 } },
      {
        kind: 'restart-time',
        mode: 'apply',
        hosts: ['cp-1'],
        options: { afterSeconds: 5 },
        traits: { effect: 'none' },
      },
    ]);
    const status = (await api.store.projections.operation('demo', 'op-3'))!;
    await api.store.projections.saveOperation({ ...status, state: 'succeeded', startedAt: status.queuedAt });
    expect((await api.call('GET', '/clusters/demo')).body).toMatchObject({ state: 'degraded' });
  });

  it('is in OpenAPI, beside the alias of an earlier version', async () => {
    const { body } = await api.call('GET', '/docs/json');
    const route = (body['paths'] as Record<string, Record<string, unknown>>)['/clusters/{name}/operations']!['post'];
    const text = JSON.stringify(route);
    expect(text).toContain('restarts the time service');
    expect(text).toContain('"afterSeconds"');
    expect(text).toContain('"deprecated":true');
  });
});
