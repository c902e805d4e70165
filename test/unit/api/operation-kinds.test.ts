import { beforeEach, expect, it } from 'vitest';
import { type Json, spec, type TestApi, testApi } from './support.ts';

let api: TestApi;
beforeEach(async () => {
  api = await testApi();
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
