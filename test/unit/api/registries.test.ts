import { afterAll, beforeAll, expect, it, test } from 'vitest';
import { KnownSecrets } from '../../../activities/host/known-secrets.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { issueCa, issueLeaf } from '../../../activities/pki/certificates.ts';
import { plainText } from '../../../activities/resources/resource.ts';
import { openedLogin } from '../../../activities/tasks/opened-login.ts';
import type { CredentialUse } from '../../../contracts/credential-use.ts';
import { type Json, spec, type TestApi, testApi } from './support.ts';

let api: TestApi;
let ca: string;
let leaf: string;
beforeAll(async () => {
  api = await testApi({ phases: await loadPhases() });
  const issued = await issueCa('their registry', new Date());
  ca = issued.cert;
  const request = { authority: 'registry', name: 'x', commonName: 'registry', usages: ['server' as const] } as const;
  leaf = (await issueLeaf(issued, { ...request, usages: ['server'] }, new Date())).cert;
});
afterAll(() => api.close());

let number = 0;
function post(registries: unknown, more: { phases?: Json; as?: 'operator' } = {}) {
  number += 1;
  const document = spec({ phases: more.phases ?? {} }, undefined, { name: `registries-${number}` }) as { spec: Json };
  document.spec['registries'] = registries;
  return api.call('POST', '/clusters', { body: document, ...(more.as ? { as: more.as } : {}) });
}
const login = (name: string, more: object = {}) =>
  api.call('PUT', `/credentials/${name}`, {
    body: { kind: 'registry-login', user: 'ann', password: 'pull-only-secret', clusters: ['*'], ...more },
  });

test.each<[string, unknown, string, RegExp]>([
  ['no name of a registry', [{ host: 'https://docker.io' }], 'spec.registries[0].host', /name with which image/],
  ['a folder of Docker Hub', [{ host: 'library' }], 'spec.registries[0].host', /must have a dot or a port/],
  ['the server of Docker Hub', [{ host: 'registry-1.docker.io' }], 'spec.registries[0].host', /must be docker\.io/],
  ['a wrong port', [{ host: 'registry.test:70000' }], 'spec.registries[0].host', /port of 1 to 65535/],
  [
    'one registry twice',
    [{ host: 'a.test' }, { host: 'a.test' }],
    'spec.registries[1].host',
    /duplicates a\.test of spec\.registries\[0\]/,
  ],
  [
    'a login in an address',
    [{ host: 'a.test', mirrors: ['https://ann:secret@m.test'] }],
    'spec.registries[0].mirrors[0]',
    /PUT \/credentials\/\{name\} as kind registry-login/,
  ],
  ['a mirror without scheme', [{ host: 'a.test', mirrors: ['m.test'] }], 'spec.registries[0].mirrors[0]', /such as/],
  [
    'a registry as its own mirror',
    [{ host: 'a.test', mirrors: ['https://a.test'] }],
    'spec.registries[0].mirrors',
    /is a\.test itself/,
  ],
  [
    'a login without TLS',
    [{ host: 'a.test', plainHttp: true, credential: { name: 'pull' } }],
    'spec.registries[0].credential',
    /needs TLS/,
  ],
  [
    'a mirror without TLS that has a login',
    [
      { host: 'docker.io', mirrors: ['http://m.test'] },
      { host: 'm.test', credential: { name: 'pull' } },
    ],
    'spec.registries[0].mirrors',
    /mirrors\[0\] is without TLS, and m\.test has a login/,
  ],
  ['Docker Hub without TLS', [{ host: 'docker.io', plainHttp: true }], 'spec.registries[0].plainHttp', /TLS only/],
  ['no PEM', [{ host: 'a.test', ca: 'x' }], 'spec.registries[0].ca', /PEM/],
  [
    'half a certificate',
    [{ host: 'a.test', ca: '-----BEGIN CERTIFICATE-----\nx' }],
    'spec.registries[0].ca',
    /no complete certificate/,
  ],
  ['an empty list', [], 'spec.registries', />=1|at least|too small/i],
  [
    'the registry of the cluster',
    [{ host: 'registry.kubewright.internal:5000' }],
    'spec.registries[0].host',
    /is the registry of the cluster/,
  ],
  ['an unknown field', [{ host: 'a.test', insecure: true }], 'spec.registries[0]', /insecure/],
])('POST /clusters refuses %s, by place and reason', async (_, registries, path, message) => {
  const answer = await post(registries);
  expect(answer, answer.text).toMatchObject({ status: 422, body: { code: 'SPEC_INVALID' } });
  expect(answer.body['errors']).toContainEqual(
    expect.objectContaining({ path, message: expect.stringMatching(message) }),
  );
});

it('takes the certificate of an authority, and no other', async () => {
  expect((await post([{ host: 'a.test', ca }])).status).toBe(202);
  const answer = await post([{ host: 'a.test', ca: leaf }]);
  expect(answer.body['errors']).toMatchObject([
    { path: 'spec.registries[0].ca', message: expect.stringMatching(/not the certificate of an authority/) },
  ]);
});

it('a login goes to the servers that its addresses list, and no credential of another kind is one', async () => {
  await login('pull', { addresses: ['private.test'] });
  expect((await post([{ host: 'private.test:5000', credential: { name: 'pull' } }])).status).toBe(202);
  const other = await post([{ host: 'other.test', credential: { name: 'pull' } }]);
  expect(other.body['errors']).toMatchObject([
    { path: 'spec.registries[0].credential', message: expect.stringMatching(/limited to the addresses private\.test/) },
  ]);
  await api.call('PUT', '/credentials/corp', { body: { kind: 'proxy', user: 'a', password: 'b', clusters: ['*'] } });
  const wrong = await post([{ host: 'private.test', credential: { name: 'corp' } }]);
  expect(wrong.body['errors']).toMatchObject([
    { message: expect.stringMatching(/is of kind proxy, and registry-login is needed here/) },
  ]);
});

it('a login is stored and listed, and never given back; no host is logged in to with it', async () => {
  expect((await login('listed')).status).toBe(200);
  const { text, body } = await api.call('GET', '/credentials');
  expect(body['items']).toContainEqual(expect.objectContaining({ name: 'listed', kind: 'registry-login' }));
  expect(text).not.toContain('pull-only-secret');
  expect((await login('bad', { user: 'a:b' })).status).toBe(400);
  const document = spec({}, undefined, { name: 'as-login' }) as { spec: { ssh: object } };
  document.spec.ssh = { ...document.spec.ssh, credential: { name: 'listed' } };
  const answer = await api.call('POST', '/clusters', { body: document });
  expect(answer.body['errors']).toMatchObject([
    { message: expect.stringMatching(/is of kind registry-login, and key or password is needed here/) },
  ]);
});

it('only admins say where images come from', async () => {
  const answer = await post([{ host: 'docker.io', mirrors: ['https://m.test'] }], { as: 'operator' });
  expect(answer).toMatchObject({ status: 403, body: { code: 'FORBIDDEN', errors: [{ path: 'spec.registries' }] } });
});

it('a login that is opened is masked in all its forms', async () => {
  const secrets = new KnownSecrets();
  const uses: CredentialUse[] = [];
  const deps = {
    registryLogin: async (_: string, use: CredentialUse) => {
      uses.push(use);
      return { kind: 'registry-login' as const, user: 'ann', password: 'pull-only-secret' };
    },
  };
  const registry = { host: 'private.test:5000', credential: { name: 'pull' } };
  const opened = await openedLogin(deps, 'demo', registry, secrets);
  expect(plainText(opened!.basic)).toBe(btoa('ann:pull-only-secret'));
  expect(uses).toMatchObject([{ address: 'private.test', port: 5000 }]);
  const shown = secrets.redactor.text(`x pull-only-secret y ${btoa('ann:pull-only-secret')}`);
  expect(shown).not.toMatch(/pull-only-secret|YW5u/);
  expect(await openedLogin(deps, 'demo', { host: 'docker.io' }, secrets)).toBeNull();
});

it('containerd 2.4 takes no logins', async () => {
  await login('pull-24');
  const registries = [{ host: 'private.test', credential: { name: 'pull-24' } }];
  const answer = await post(registries, { phases: { runtime: { version: '2.4.0' } } });
  expect(answer.body['errors']).toMatchObject([
    { path: 'spec.registries[0].credential', message: expect.stringMatching(/containerd 2\.4\.0 .* takes no logins/) },
  ]);
});
