import { afterAll, expect, it } from 'vitest';
import { loadPhases } from '../../../../activities/phases/phase-loader.ts';
import { type Json, testApi } from '../support.ts';
import { fixture } from './support.ts';

const api = await testApi({ phases: await loadPhases() });
afterAll(() => api.close());
const post = (body: Json, options: Json = {}) => api.call('POST', '/imports', { body, ...options });

it('POST /imports gives a spec that POST /clusters takes', async () => {
  const { status, body } = await post({ text: fixture('kubespray.yml'), name: 'east', credential: 'east-key' });
  expect(status).toBe(200);
  expect(body).toMatchObject({ format: 'kubespray', problems: [] });
  const login = { kind: 'password', password: 'of-a-test-host' };
  expect(await api.call('PUT', '/credentials/east-key', { body: login })).toMatchObject({ status: 200 });
  const built = await api.call('POST', '/clusters', {
    body: (body as { spec: string }).spec,
    headers: { 'content-type': 'application/yaml' },
  });
  expect(built).toMatchObject({ status: 202 });
});

it.each<[string, Json, number, string]>([
  ['no text', {}, 400, 'BAD_REQUEST'],
  ['an unknown format', { text: 'x', format: 'rke' }, 400, 'BAD_REQUEST'],
  ['another format', { text: '[kube_node]\na', format: 'k0sctl' }, 422, 'IMPORT_UNRECOGNIZED'],
  ['a broken line', { text: "[kube_node]\na x='" }, 400, 'SPEC_MALFORMED'],
  ['too many hosts', { text: '[kube_node]\na[1:5000]' }, 413, 'DOCUMENT_TOO_COMPLEX'],
])('refuses %s', async (_, body, status, code) => {
  const answer = await post(body);
  expect(answer).toMatchObject({ status, body: { code } });
});

it('reads a long YAML inventory of a thousand hosts in a thread', async () => {
  const hosts = Array.from(
    { length: 1000 },
    (_, index) => `    n${index}: { ansible_host: 10.9.${index >> 8}.${index & 255} }`,
  );
  const text = `kube_node:\n  hosts:\n${hosts.join('\n')}\nkube_control_plane:\n  hosts: { n0: null }\netcd:\n  hosts: { n0: null }\n`;
  const { status, body } = await post({ text, credential: 'key' });
  expect(status).toBe(200);
  expect((body as { spec: string }).spec).toContain('name: n999');
});

it('keeps no digest of the body in the record of the request', async () => {
  await post({ text: '[kube_node]\na ansible_password=hunter2' });
  const text = JSON.stringify(await api.call('GET', '/history?limit=50'));
  expect(text).not.toContain('hunter2');
});
