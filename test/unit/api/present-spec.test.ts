import { afterEach, beforeEach, expect, it } from 'vitest';
import { host, spec, type TestApi, testApi } from './support.ts';

let api: TestApi;
beforeEach(async () => {
  api = await testApi();
});
afterEach(() => api.close());

const second = host({ name: 'cp-2', address: '10.0.0.2', roles: ['control-plane'] });
const more = spec({}, [host(), second]);

/** As it is when its teardown has ended. */
async function removed(): Promise<void> {
  await api.call('POST', '/clusters', { body: spec() });
  const status = (await api.store.projections.latestOperation('demo'))!;
  await api.store.projections.saveOperation({ ...status, state: 'succeeded' });
  await api.store.projections.saveOperation({ ...status, operationId: 'op-z', kind: 'teardown', state: 'succeeded' });
}

it('a removed cluster that an admin builds again is protected before the build begins: no operator adds a control plane', async () => {
  await removed();
  expect((await api.call('POST', '/clusters', { body: spec() })).status).toBe(202);
  const { status, body } = await api.call('POST', '/clusters', { body: more, as: 'operator' });
  expect(status).toBe(403);
  expect(body['errors']).toEqual([expect.objectContaining({ path: 'spec.hosts[1] (control-plane cp-2)' })]);
});

it('a removed cluster is a new one', async () => {
  await removed();
  expect((await api.call('POST', '/clusters', { body: more, as: 'operator' })).status).toBe(202);
});
