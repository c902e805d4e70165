import { describe, expect, onTestFinished, test } from 'vitest';
import { controlPlaneEndpoint } from '../../../activities/phases/capabilities/control-plane-endpoint.ts';
import { offerOf } from '../../../activities/phases/offers.ts';
import { loadPhases, sortPhases } from '../../../activities/phases/phase-loader.ts';
import { createPki } from '../../../activities/pki/pki.ts';
import { clusterAccess } from '../../../api/cluster-access.ts';
import { sampleCluster } from '../../golden/golden.ts';
import { toyNetwork, toyRuntime } from '../../support/toy-phase.ts';
import { type Json, spec, testApi } from './support.ts';

const real = await loadPhases();

async function withToys() {
  const phases = sortPhases([...real, ...(await toyNetwork()), ...(await toyRuntime())]);
  const api = await testApi({ phases });
  onTestFinished(() => api.close());
  const post = (chosen: Json, query = '') => api.call('POST', `/clusters${query}`, { body: spec({ phases: chosen }) });
  return { api, post };
}

test.each<[string, Json, string, RegExp]>([
  [
    'two pod networks',
    { flannel: {}, toynet: {} },
    'spec.phases.toynet',
    /flannel and toynet each provide pod-network/,
  ],
  ['no pod network', { flannel: { enabled: false } }, 'spec.phases.flannel', /no phase provides pod-network.*toynet/],
  [
    'two runtimes',
    { runtime: {}, toyrun: {} },
    'spec.phases.toyrun',
    /runtime and toyrun each provide container-runtime/,
  ],
  ['no runtime', { runtime: { enabled: false } }, 'spec.phases.runtime', /no phase provides container-runtime.*toyrun/],
])('POST /clusters refuses %s by name', async (_, chosen, path, message) => {
  const { api, post } = await withToys();
  for (const query of ['', '?dryRun=true']) {
    expect(await post(chosen, query)).toMatchObject({
      status: 422,
      body: { code: 'SPEC_INVALID', errors: [{ path, message: expect.stringMatching(message) }] },
    });
  }
  expect(api.temporal.submitted).toEqual([]);
  const other = { toynet: {}, runtime: { enabled: false }, toyrun: {} };
  expect((await post(other)).status).toBe(202);
});

test('kubeconfigs for people name the endpoint of the options, else a control plane', async () => {
  const { api } = await withToys();
  const access = clusterAccess(api.store, real);
  await createPki({ secrets: api.store.secrets, cluster: 'demo', mode: 'apply' }).ca('kubernetes');
  const servers = async (chosen: Json) => {
    const cluster = sampleCluster({ phases: chosen as never });
    const person = { person: 'ann', group: 'kubewright:viewers', lifeMs: 3_600_000 };
    const issued = await access.personalKubeconfig('demo', cluster, person);
    return [await access.kubeconfig('demo', cluster), issued?.text].map((text) => /server: (\S+)/.exec(text!)?.[1]);
  };
  const direct = 'https://10.20.0.11:6443';
  expect(await servers({})).toEqual([direct, direct]);
  const balancer = 'https://api.example.com:6443';
  expect(await servers({ master: { endpoint: 'api.example.com' } })).toEqual([balancer, balancer]);
});

describe('spec.controlPlane.endpoint', () => {
  const post = async (endpoint: Json, more: Json = {}) => {
    const { api } = await withToys();
    const body = spec(more) as { spec: Json };
    body.spec['controlPlane'] = { endpoint };
    return (await api.call('POST', '/clusters', { body })) as { status: number; body: Json };
  };

  test.each<[string, Json, string, RegExp]>([
    ['a provider that is none', { provider: 'flannel' }, 'provider', /flannel does not provide.*external.*host-names/],
    ['an external one without its host', { provider: 'external' }, 'host', /required/],
    ['a host for host names', { provider: 'host-names', host: '10.0.0.9' }, 'host', /api\.kubewright\.internal/],
    ['another port for host names', { port: 8443 }, 'port', /6443/],
    ['a host that is none', { host: '0.0.0.0' }, 'host', /./],
    ['a port that is none', { host: 'api.example.com', port: 70_000 }, 'port', /./],
  ])('%s is refused', async (_, endpoint, field, message) => {
    expect(await post(endpoint)).toMatchObject({
      status: 422,
      body: {
        code: 'SPEC_INVALID',
        errors: expect.arrayContaining([
          { path: `spec.controlPlane.endpoint.${field}`, message: expect.stringMatching(message) },
        ]),
      },
    });
  });

  test('beside the earlier option with another host it is refused', async () => {
    const phases = { master: { endpoint: 'old.example.com' } };
    expect(await post({ host: 'api.example.com' }, { phases })).toMatchObject({
      status: 422,
      body: { errors: [{ path: 'spec.phases.master.endpoint' }] },
    });
  });

  test('a host alone is external, and kubeconfigs have its port', async () => {
    expect((await post({ host: 'api.example.com', port: 8443 })).status).toBe(202);
    const cluster = sampleCluster();
    cluster.spec.controlPlane = { endpoint: { host: 'api.example.com', port: 8443 } };
    expect(offerOf({ cluster, phases: real }, controlPlaneEndpoint)).toMatchObject({
      host: 'api.example.com',
      port: 8443,
      forClients: true,
      certificateNames: ['api.example.com'],
    });
  });
});
