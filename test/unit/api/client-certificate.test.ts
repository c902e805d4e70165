import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Issued, issueCa, issueLeaf } from '../../../activities/pki/certificates.ts';
import { spec, type TestApi, testApi } from './support.ts';

let api: TestApi;
let ca: Issued;
let client: Issued;
beforeAll(async () => {
  api = await testApi();
  ca = await issueCa('their etcd', new Date());
  client = await issueLeaf(ca, { authority: 'etcd', name: 'x', commonName: 'kube', usages: ['client'] }, new Date());
});
afterAll(() => api.close());

const body = () => ({
  kind: 'client-certificate',
  certificate: client.cert,
  privateKey: client.key,
  ca: ca.cert,
  clusters: ['*'],
});
const put = (name: string, more: object = {}) =>
  api.call('PUT', `/credentials/${name}`, { body: { ...body(), ...more } });

it('a client certificate is stored and listed, and never given back', async () => {
  const answer = await put('etcd-client');
  expect(answer.status, answer.text).toBe(200);
  const { text, body: listed } = await api.call('GET', '/credentials');
  expect(listed['items']).toMatchObject([{ name: 'etcd-client', kind: 'client-certificate', clusters: ['*'] }]);
  expect(text).not.toContain(client.key.split('\n')[1]);
  expect(text).not.toContain(client.cert.split('\n')[1]);
});

it('one that no client can use is refused when it is stored', async () => {
  const otherKey = (
    await issueLeaf(ca, { authority: 'etcd', name: 'y', commonName: 'y', usages: ['client'] }, new Date())
  ).key;
  const answer = await put('wrong', { privateKey: otherKey });
  expect(answer.status).toBe(422);
  expect(answer.body).toMatchObject({ code: 'CLIENT_CERTIFICATE_UNUSABLE' });
  expect(answer.text).not.toContain(otherKey.split('\n')[1]);
  expect((await put('large', { ca: 'x'.repeat(48 * 1024 + 1) })).status).toBe(400);
  expect((await put('more', { password: 'x' })).status).toBe(400);
});

it('a credential of another kind is refused where a login is needed, before anything starts', async () => {
  await put('etcd-client');
  const document = spec({}, undefined, { name: 'kinds' }) as { spec: { ssh: object } };
  document.spec.ssh = { ...document.spec.ssh, credential: { name: 'etcd-client' } };
  const answer = await api.call('POST', '/clusters', { body: document });
  expect(answer.status).toBe(422);
  expect(answer.body).toMatchObject({
    code: 'SPEC_INVALID',
    errors: [
      {
        path: 'spec.ssh.credential',
        message: expect.stringMatching(/is of kind client-certificate, and key or password/),
      },
    ],
  });
});
