import { expect, onTestFinished, test } from 'vitest';
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
  ['two pod networks', { toynet: {} }, 'spec.phases.toynet', /flannel and toynet each provide pod-network/],
  ['no pod network', { flannel: { enabled: false } }, 'spec.phases.flannel', /no phase provides pod-network.*toynet/],
  ['two runtimes', { toyrun: {} }, 'spec.phases.toyrun', /runtime and toyrun each provide container-runtime/],
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
  const other = { flannel: { enabled: false }, toynet: {}, runtime: { enabled: false }, toyrun: {} };
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
