import { beforeEach, expect, it } from 'vitest';
import { type Json, spec, type TestApi, testApi } from './support.ts';

let api: TestApi;
beforeEach(async () => {
  api = await testApi();
  return () => api.close();
});

const at = (version?: string): Json => spec(version === undefined ? {} : { kubernetes: { version } });
const post = (version?: string, query = '') => api.call('POST', `/clusters${query}`, { body: at(version) });
const end = async (state: 'succeeded' | 'failed') => {
  const id = `op-${api.temporal.submitted.length}`;
  const status = (await api.store.projections.operation('demo', id))!;
  await api.store.projections.saveOperation({ ...status, state, startedAt: new Date().toISOString() });
};
const stored = async () => (await api.store.specs.get(api.temporal.submitted.at(-1)!.specRef)).spec.kubernetes.version;

it('a cluster that was built changes no version by a build, a dry run or a downgrade', async () => {
  await post('1.35.4');
  await end('succeeded');
  for (const query of ['', '?dryRun=true']) {
    expect(await post('1.36.3', query)).toMatchObject({
      status: 409,
      body: { code: 'UPGRADE_NEEDED', errors: [{ path: 'spec.kubernetes.version' }] },
    });
    for (const refused of ['1.35.3', '1.34.0', '1.37.0'])
      expect(await post(refused, query)).toMatchObject({ status: 409, body: { code: 'VERSION_REFUSED' } });
  }
  expect(api.temporal.submitted).toHaveLength(1);
});

it('a spec without a version has the one of its cluster', async () => {
  await post('1.35.4');
  await end('succeeded');
  expect((await post()).status).toBe(202);
  expect(await stored()).toBe('1.35.4');
});

it('also after a later build failed', async () => {
  await post('1.35.4');
  await end('succeeded');
  await post('1.35.4');
  await end('failed');
  expect(await post('1.36.3')).toMatchObject({ body: { code: 'UPGRADE_NEEDED' } });
});

it('a first build that failed is repeated with any version; one that runs is not overtaken', async () => {
  await post('1.36.3');
  expect(await post('1.35.4')).toMatchObject({ status: 409, body: { code: 'VERSION_REFUSED' } });
  await end('failed');
  expect((await post('1.35.4')).status).toBe(202);
});
