import { expect, it, onTestFinished } from 'vitest';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { clusterSpec } from '../../../contracts/cluster.ts';
import { type Json, spec, testApi } from './support.ts';

const phases = await loadPhases();
const withHosts = (...addresses: string[]): Json =>
  spec({
    hosts: addresses.map((address, index) => ({ name: `cp-${index + 1}`, address, roles: ['control-plane', 'etcd'] })),
  });

it('etcd hosts have addresses or names, not both; a cluster that has both already is built again', async () => {
  const api = await testApi({ phases });
  onTestFinished(() => api.close());
  const post = (body: Json) => api.call('POST', '/clusters', { body });
  const mixed = withHosts('10.0.0.1', 'cp-2.example.com', '10.0.0.3');
  const refused = {
    status: 422,
    body: {
      code: 'SPEC_INVALID',
      errors: [
        {
          path: 'spec.hosts[1].address',
          message: expect.stringMatching(/is a DNS name, and the etcd host cp-1 has an IPv4 address \(10\.0\.0\.1\)/),
        },
      ],
    },
  };
  expect(await post(mixed)).toMatchObject(refused);
  expect((await post(withHosts('10.0.0.1', '10.0.0.2', '10.0.0.3'))).status).toBe(202);

  // As an earlier version stored it.
  const status = (await api.store.projections.operation('demo', 'op-1'))!;
  const specRef = await api.store.specs.put(clusterSpec.parse(mixed));
  await api.store.projections.saveOperation({ ...status, specRef, state: 'succeeded' });
  expect((await post(mixed)).status).toBe(202);
  const moved = withHosts('10.0.0.4', 'cp-2.example.com', '10.0.0.3');
  expect(await post(moved)).toMatchObject({ status: 422, body: { code: 'SPEC_INVALID' } });
  expect((await post(withHosts('cp-1.example.com', 'cp-2.example.com', 'cp-3.example.com'))).status).not.toBe(422);
});
