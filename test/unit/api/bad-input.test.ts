import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../../../contracts/limits.ts';
import { host, type Json, spec, type TestApi, testApi } from './support.ts';

let api: TestApi;
beforeAll(async () => {
  api = await testApi();
  return () => api.close();
});
afterAll(() => {
  expect(api.temporal.submitted, 'bad input started a workflow').toEqual([]);
});

const post = (body: unknown, headers: Record<string, string> = {}) => api.call('POST', '/clusters', { body, headers });
const hosts = (count: number, roles: string[]) =>
  Array.from({ length: count }, (_, n) => host({ name: `h-${n}`, address: `10.0.0.${n + 1}`, roles }));

it.each<[string, unknown, string, RegExp]>([
  ['an unknown role', spec({}, [host({ roles: ['control-plan'] })]), 'SPEC_INVALID', /did you mean `control-plane`/],
  ['an unknown key', spec({}, [host({ rolse: [] })]), 'SPEC_INVALID', /unknown key `rolse`; did you mean `roles`/],
  ['no control plane', spec({}, hosts(1, ['etcd', 'worker'])), 'SPEC_INVALID', /no host has the role control-plane/],
  ['an even etcd count', spec({}, hosts(2, ['control-plane', 'etcd'])), 'SPEC_INVALID', /odd number/],
  [
    'an address twice',
    spec({}, [host(), host({ name: 'b', roles: ['worker'] })]),
    'SPEC_INVALID',
    /duplicates address/,
  ],
  [
    'a name twice',
    spec({}, [host(), host({ address: '10.0.0.2', roles: ['worker'] })]),
    'SPEC_INVALID',
    /duplicates name/,
  ],
  [
    'overlapping networks',
    spec({ network: { podCidr: '10.0.0.0/8', serviceCidr: '10.96.0.0/16' } }),
    'SPEC_INVALID',
    /overlaps/,
  ],
  ['a host in the pod network', spec({}, [host({ address: '10.244.0.9' })]), 'SPEC_INVALID', /contains the address/],
  ['an unknown phase', spec({ phases: { flanel: {} } }), 'SPEC_INVALID', /did you mean `flannel`/],
  ['an unknown option', spec({ phases: { flannel: { bckend: 'x' } } }), 'SPEC_INVALID', /did you mean `backend`/],
  ['another apiVersion', { ...spec(), apiVersion: 'v1' }, 'SPEC_INVALID', /must be "kubewright\.dev\/v1alpha1"/],
  [
    'a credential that is not stored',
    spec({ ssh: { credential: { name: 'nobody' } } }),
    'SPEC_INVALID',
    /PUT \/credentials\/nobody/,
  ],
  ['no hosts', spec({}, []), 'SPEC_INVALID', /hosts/],
  ['a list', [], 'SPEC_INVALID', /must be an object/],
  ['text', '"text"', 'SPEC_INVALID', /must be an object/],
  ['half a document', '{"kind": "Cluster",', 'SPEC_MALFORMED', /line 1, column 20/],
])('%s', async (_name, body, code, words) => {
  const answer = await post(body);
  expect(answer.status).toBe(code === 'SPEC_MALFORMED' ? 400 : 422);
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(answer.body).toMatchObject({ code, hint: expect.any(String), requestId: expect.any(String) });
  expect(answer.text).toMatch(words.source.includes('"') ? new RegExp(words.source.replaceAll('"', '\\\\"')) : words);
});

it('malformed YAML, with its place', async () => {
  const answer = await post('kind: Cluster\nspec:\n\thosts: []\n', { 'content-type': 'application/yaml' });
  expect(answer).toMatchObject({
    status: 400,
    body: { code: 'SPEC_MALFORMED', detail: expect.stringMatching(/^line 3/) },
  });
});

it('no body at all', async () => {
  const empty = await api.call('POST', '/clusters', { headers: { 'content-type': 'application/json' } });
  expect(empty).toMatchObject({ status: 422, body: { code: 'SPEC_INVALID' } });
  expect((await api.call('POST', '/clusters')).status).toBe(422);
});

it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/xml', 'nonsense'])(
  'the content type %s',
  async (type) => {
    const answer = await post(JSON.stringify(spec()), { 'content-type': type });
    expect(answer).toMatchObject({ status: 415, body: { code: 'UNSUPPORTED_MEDIA_TYPE' } });
  },
);

it.each(['application/json', 'application/yaml'])('a body of 10 MB (%s)', async (type) => {
  const answer = await post(JSON.stringify({ x: 'y'.repeat(10 * 1024 * 1024) }), { 'content-type': type });
  expect(answer).toMatchObject({ status: 413, body: { code: 'BODY_TOO_LARGE' } });
});

it('more hosts than a cluster may have', async () => {
  const many = hosts(LIMITS.hostsPerCluster + 1, ['worker']).map((each, n) => ({
    ...each,
    address: `10.1.${n >> 8}.${n & 255}`,
  }));
  expect((await post(spec({}, many))).status).toBe(422);
});

describe('shell metacharacters in every string field', () => {
  const nasty = [
    '; reboot',
    '$(reboot)',
    '`reboot`',
    "a'b",
    'a"b',
    'a|b',
    'a&b',
    'a>b',
    'a\nb',
    'a\\b',
    'a b',
    'a\u0000b',
    '../a',
    '-rf',
  ];
  const key = { keyFile: '/root/key' };
  const fields: [string, (text: string) => Json][] = [
    ['metadata.name', (text) => spec({}, [host()], { name: text })],
    ['kubernetes.version', (text) => spec({ kubernetes: { version: text } })],
    ['host name', (text) => spec({}, [host({ name: text })])],
    ['address', (text) => spec({}, [host({ address: text })])],
    ['internalAddress', (text) => spec({}, [host({ internalAddress: text })])],
    ['role', (text) => spec({}, [host({ roles: [text] })])],
    ['label key', (text) => spec({}, [host({ labels: { [text]: 'x' } })])],
    ['label value', (text) => spec({}, [host({ labels: { x: text } })])],
    ['taint key', (text) => spec({}, [host({ taints: [{ key: text, effect: 'NoSchedule' }] })])],
    ['taint value', (text) => spec({}, [host({ taints: [{ key: 'x', value: text, effect: 'NoSchedule' }] })])],
    ['taint effect', (text) => spec({}, [host({ taints: [{ key: 'x', effect: text }] })])],
    ['ssh.user', (text) => spec({ ssh: { credential: key, user: text } })],
    ['ssh.credential.name', (text) => spec({ ssh: { credential: { name: text } } })],
    ['ssh.credential.keyFile', (text) => spec({ ssh: { credential: { keyFile: text } } })],
    ['ssh.credential.agent', (text) => spec({ ssh: { credential: { agent: text } } })],
    ['ssh.hostKey', (text) => spec({ ssh: { credential: key, hostKey: text } })],
    ['ssh.jump.address', (text) => spec({ ssh: { credential: key, jump: { address: text, credential: key } } })],
    [
      'ssh.jump.user',
      (text) => spec({ ssh: { credential: key, jump: { address: 'b', user: text, credential: key } } }),
    ],
    ['podCidr', (text) => spec({ network: { podCidr: text } })],
    ['serviceCidr', (text) => spec({ network: { serviceCidr: text } })],
    ['clusterDomain', (text) => spec({ network: { clusterDomain: text } })],
    ['mirror', (text) => spec({ artifacts: { mirror: text } })],
    ['phase name', (text) => spec({ phases: { [text]: {} } })],
    ['phase option', (text) => spec({ phases: { flannel: { [text]: 1 } } })],
    ['phase option value', (text) => spec({ phases: { flannel: { backend: text } } })],
    ['apiVersion', (text) => ({ ...spec(), apiVersion: text })],
    ['kind', (text) => ({ ...spec(), kind: text })],
  ];
  it.each(fields)('%s', async (field, build) => {
    // A login name may hold the backslash of DOMAIN\user; it goes into the protocol of SSH, never into a shell.
    for (const text of nasty.filter((each) => !(field.endsWith('.user') && each === 'a\\b'))) {
      const answer = await post(build(text));
      expect(answer.status, `${JSON.stringify(text)}: ${answer.text}`).toBe(422);
      expect((answer.body['errors'] as unknown[]).length).toBeGreaterThan(0);
    }
  });

  it('paths, queries and headers', async () => {
    for (const text of nasty) {
      const part = encodeURIComponent(text);
      for (const url of [
        `/clusters/${part}`,
        `/clusters/demo/operations/${part}`,
        `/clusters/demo/history?host=${part}`,
        `/clusters?cursor=${part}`,
      ]) {
        const { status } = await api.call('GET', url);
        expect(status, url).toBeGreaterThanOrEqual(400);
        expect(status, url).toBeLessThan(500);
      }
    }
    const answer = await api.call('POST', '/clusters', { body: spec(), headers: { 'idempotency-key': '$(reboot)' } });
    expect(answer).toMatchObject({ status: 400, body: { code: 'BAD_REQUEST' } });
  });
});
