import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EMBEDDED, type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

/** A3 of the trust issue: what an operator may make of a cluster, asked of a service whose hosts do not answer. */

type Json = Record<string, unknown>;

let api: ServiceProcess;
let operator: string;
/** An admin of one cluster is an admin of its options. */
let clusterAdmin: string;

/** One login for all: the addresses have no host. */
const KEY = '/nowhere/key';
const cp = { name: 'cp-1', address: '127.0.0.21', roles: ['control-plane', 'etcd', 'worker'] };
const worker = { name: 'w-1', address: '127.0.0.22', roles: ['worker'] };
const spec = (name: string, phases: Json = {}, hosts: Json[] = [cp, worker], more: Json = {}): Json => ({
  apiVersion: 'kubewright.dev/v1alpha1',
  kind: 'Cluster',
  metadata: { name },
  spec: { hosts, ssh: { port: 1, credential: { keyFile: KEY } }, phases, ...more },
});
const post = (body: Json, token: string, query = '?dryRun=true&ifBusy=refuse') =>
  api.call('POST', `/clusters${query}`, { body, token });
/** It may; whether its turn has come is another question (OPERATION_RUNNING). */
const ACCEPTED = [200, 202, 409];
const pathsOf = ({ text }: { text: string }) =>
  ((JSON.parse(text) as { errors?: { path: string }[] }).errors ?? []).map(({ path }) => path);

/** What an admin set up: a flag, a setting of one host, and a policy to be left alone. */
const SET_UP = {
  master: { apiServer: { extraArgs: { 'authorization-mode': 'Node,RBAC,Webhook', 'event-ttl': '2h' } } },
};
const OWN = { nodes: { kubelet: { config: { protectKernelDefaults: false } } } };
const hosts = [cp, { ...worker, phases: OWN }];

beforeAll(async () => {
  api = await startServiceProcess({ ...EMBEDDED, KUBEWRIGHT_LOGIN_PATHS: '/nowhere' });
  const token = async (body: Json) => {
    const { text } = await api.call('POST', '/tokens', { body: { name: 'someone', ...body } });
    return (JSON.parse(text) as { token: string }).token;
  };
  operator = await token({ role: 'operator' });
  clusterAdmin = await token({ role: 'admin', clusters: ['shop'] });
  const built = await post(spec('shop', SET_UP, hosts), api.adminToken, '');
  expect(built.status, built.text).toBe(202);
});
afterAll(() => api.close());

describe('options that switch off what the roles promise', () => {
  it.each([
    ['master', { apiServer: { extraArgs: { 'authorization-mode': 'AlwaysAllow' } } }],
    ['master', { apiServer: { extraArgs: { 'audit-log-path': '/dev/null' } } }],
    ['master', { apiServer: { extraArgs: { 'anonymous-auth': 'true' } } }],
    ['master', { apiServer: { extraArgs: { 'disable-admission-plugins': 'NodeRestriction' } } }],
    ['master', { apiServer: { extraArgs: { 'token-auth-file': '/etc/hosts' } } }],
    ['master', { apiServer: { extraArgs: { 'a-flag-of-tomorrow': '1' } } }],
    ['master', { apiServer: { extraArgs: { v: '8' } } }],
    ['master', { controllerManager: { extraArgs: { 'bind-address': '0.0.0.0' } } }],
    ['master', { scheduler: { extraArgs: { profiling: 'true' } } }],
    ['master', { encryption: 'identity' }],
    ['master', { audit: { enabled: false } }],
    ['master', { podSecurity: 'privileged' }],
    ['nodes', { kubelet: { config: { authentication: { anonymous: { enabled: true } } } } }],
    ['nodes', { kubelet: { config: { authorization: { mode: 'AlwaysAllow' } } } }],
    ['nodes', { kubelet: { config: { readOnlyPort: 10255 } } }],
    ['nodes', { kubelet: { config: { staticPodPath: '/tmp/pods' } } }],
    ['nodes', { kubelet: { extraArgs: { config: '/tmp/other.yaml' } } }],
    ['nodes', { kubelet: { extraArgs: { 'anonymous-auth': 'true' } } }],
    ['nodes', { kubeProxy: { config: { metricsBindAddress: '0.0.0.0:10249' } } }],
    ['runtime', { containerd: { plugins: { 'io.containerd.cri.v1.runtime': { disable_apparmor: true } } } }],
    ['prepare', { sysctls: { 'kernel.randomize_va_space': '0' } }],
    ['prepare', { packages: ['telnetd'] }],
  ] as [string, Json][])(
    '%s %j need an admin: in a new cluster, in a present one, of one host',
    async (phase, options) => {
      const phases = { [phase]: options };
      const bodies = [
        spec('fresh', phases),
        spec('fresh', {}, [{ ...cp, phases }, worker]),
        spec(
          'shop',
          { ...SET_UP, ...(phase === 'master' ? { master: { ...SET_UP.master, ...options } } : phases) },
          hosts,
        ),
      ];
      for (const body of bodies) {
        const answer = await post(body, operator);
        // Some of it Kubewright refuses for every role.
        expect([403, 422], answer.text).toContain(answer.status);
        if (answer.status === 403) expect(pathsOf(answer)[0]).toMatch(new RegExp(`phases\\.${phase}\\.`));
      }
    },
  );

  it('are not reached by another spelling', async () => {
    for (const flag of ['authorization_mode', 'Authorization-Mode', '-authorization-mode', 'authorization-mode=x']) {
      const body = spec('fresh', { master: { apiServer: { extraArgs: { [flag]: 'AlwaysAllow' } } } });
      expect((await post(body, operator)).status).toBe(422);
    }
    for (const key of ['ReadOnlyPort', 'readonlyport', 'read-only-port']) {
      const body = spec('fresh', { nodes: { kubelet: { config: { [key]: 10255 } } } });
      expect((await post(body, operator)).status).toBe(403);
    }
  });

  it('stay as an admin set them: not changed, not taken out, and sent again unchanged', async () => {
    const without = { master: { apiServer: { extraArgs: { 'event-ttl': '2h' } } } };
    const other = { master: { apiServer: { extraArgs: { 'authorization-mode': 'Node,RBAC', 'event-ttl': '2h' } } } };
    for (const phases of [{}, without, other]) {
      const answer = await post(spec('shop', phases, hosts), operator);
      expect(answer.status, answer.text).toBe(403);
      expect(pathsOf(answer)).toEqual(['spec.phases.master.apiServer.extraArgs.authorization-mode']);
    }
    const answer = await post(spec('shop', SET_UP), operator);
    expect(answer.status).toBe(403);
    expect(pathsOf(answer)).toEqual(['spec.hosts[1].phases.nodes.kubelet.config.protectKernelDefaults']);
    const allowed = [
      spec('shop', SET_UP, hosts),
      spec('shop', SET_UP, [...hosts, { ...worker, name: 'w-2', address: '127.0.0.23' }]),
      spec('shop', SET_UP, [cp]),
      spec(
        'shop',
        { master: { apiServer: { extraArgs: { ...SET_UP.master.apiServer.extraArgs, 'event-ttl': '4h' } } } },
        hosts,
      ),
      spec('shop', { ...SET_UP, nodes: { kubelet: { config: { maxPods: 200 } } } }, hosts),
    ];
    for (const body of allowed) {
      const { status, text } = await post(body, operator);
      expect(ACCEPTED, text).toContain(status);
    }
    for (const by of [api.adminToken, clusterAdmin]) {
      expect(ACCEPTED).toContain((await post(spec('shop', other, hosts), by)).status);
    }
  });

  it('are not set by corrections either', async () => {
    for (const body of [
      { clusterPhases: { master: { apiServer: { extraArgs: { 'anonymous-auth': 'true' } } } } },
      { phases: { nodes: { kubelet: { config: { readOnlyPort: 10255 } } } } },
    ]) {
      for (const [method, path] of [
        ['POST', '/clusters/shop/hosts/w-1/retry'],
        ['PATCH', '/clusters/shop/hosts/w-1'],
      ] as const) {
        await expect
          .poll(async () => (await api.call(method, path, { body, token: operator })).status, { timeout: 60_000 })
          .toBe(403);
      }
    }
  });

  it('a mirror of an operator is not where the programs of a present cluster come from', async () => {
    const answer = await post(
      spec('shop', SET_UP, hosts, { artifacts: { mirror: 'http://mirror.example' } }),
      operator,
    );
    expect([answer.status, pathsOf(answer)]).toEqual([403, ['spec.artifacts.mirror']]);
  });
});

describe('machines that hold the secrets of the whole cluster', () => {
  const other = { name: 'cp-2', address: '127.0.0.24' };
  const two = [
    { ...other, name: 'e-2', address: '127.0.0.25' },
    { ...other, name: 'e-3', address: '127.0.0.26' },
  ];
  it.each([
    ['another control plane', [...hosts, { ...other, roles: ['control-plane'] }]],
    ['a worker that becomes one', [cp, { ...hosts[1], roles: ['worker', 'control-plane'] }]],
    ['etcd hosts', [...hosts, ...two.map((each) => ({ ...each, roles: ['etcd'] }))]],
    ['the same name at another address', [{ ...cp, address: '127.0.0.27' }, hosts[1]]],
    ['another port of the address', [{ ...cp, ssh: { port: 30022 } }, hosts[1]]],
    ['another user', [{ ...cp, ssh: { user: 'mallory' } }, hosts[1]]],
    ['another host key', [{ ...cp, ssh: { hostKey: `SHA256:${'A'.repeat(43)}` } }, hosts[1]]],
    [
      'a jump host of the operator',
      [{ ...cp, ssh: { jump: { address: '127.0.0.28', credential: { keyFile: KEY } } } }, hosts[1]],
    ],
  ] as [string, Json[]][])('%s', async (_what, changed) => {
    const answer = await post(spec('shop', SET_UP, changed), operator);
    expect(answer.status, answer.text).toBe(403);
    expect(ACCEPTED).toContain((await post(spec('shop', SET_UP, changed), api.adminToken)).status);
  });

  it('are not replaced by an operator', async () => {
    const body = { address: '127.0.0.29' };
    await expect
      .poll(
        async () => (await api.call('POST', '/clusters/shop/hosts/cp-1/replace', { body, token: operator })).status,
        {
          timeout: 60_000,
        },
      )
      .toBe(403);
  });
});

describe('the policy of a cluster', () => {
  const policy = { policy: { operatorsMay: ['security-options', 'control-planes'] } };
  it('is set by admins only, and gives operators the listed rights', async () => {
    for (const name of ['fresh', 'shop']) {
      const answer = await post(spec(name, name === 'shop' ? SET_UP : {}, hosts.slice(0, 1), policy), operator);
      expect([answer.status, pathsOf(answer)]).toEqual([403, ['spec.policy.operatorsMay']]);
    }
    const own = [{ ...cp, address: '127.0.0.31' }];
    const built = await post(spec('free', {}, own, policy), api.adminToken, '');
    expect(built.status, built.text).toBe(202);
    const moved = [{ ...cp, address: '127.0.0.32' }];
    const wild = { master: { podSecurity: 'privileged' } };
    const { status, text } = await post(spec('free', wild, moved, policy), operator);
    expect(ACCEPTED, text).toContain(status);
    expect((await post(spec('free', wild, moved), operator)).status).toBe(403);
  });
});
