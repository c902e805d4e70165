import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OperationStatus } from '../../../contracts/operation.ts';
import type { ClusterSpecInput } from '../../../lab/types.ts';
import { ForwardProxy } from '../../support/forward-proxy.ts';
import { type DryRun, Field } from './field.ts';
import { HOSTILE, NOT_HOSTILE } from './hostile-proxy.ts';

const field = new Field();
const NAME = 'field-proxy';
const PASSWORD = `Zw3i+F4elle'n`;
const login = new ForwardProxy(`ann:${PASSWORD}`);
let proxy: string;

beforeAll(async () => {
  const address = new URL(
    String(field.lab.spec.spec['artifacts'] && (field.lab.spec.spec['artifacts'] as { mirror: string }).mirror),
  ).hostname;
  proxy = `http://${address}:${await login.listen(address)}`;
  await field.api.request('PUT', '/credentials/field-proxy', {
    ...{ kind: 'proxy', user: 'ann', password: PASSWORD },
    clusters: [NAME],
  });
});
afterAll(() => login.close());

const withProxy = (spec: ClusterSpecInput, to: object): ClusterSpecInput => {
  (spec.spec as Record<string, unknown>)['proxy'] = to;
  return spec;
};

/** Some phases of cp-1, to their end. The cluster is one that was asked for once, and then cancelled. */
async function phases(...names: string[]): Promise<OperationStatus> {
  const { operation } = await field.api.request<{ operation: string }>('POST', `/clusters/${NAME}/operations`, {
    ...{ kind: 'build', phases: names },
  });
  const status = await field.api.follow(NAME, operation);
  expect(status.tasks.flatMap(({ error }) => (error ? [error] : []))).toEqual([]);
  return status;
}

const changesOf = ({ hosts }: DryRun) => hosts.find(({ host }) => host === 'cp-1')?.changes ?? [];

/** The spec becomes the cluster's, without its build. */
async function submit(spec: ClusterSpecInput): Promise<void> {
  const { operation } = await field.api.request<{ operation: string }>('POST', '/clusters', spec);
  await field.api.request('POST', `/clusters/${NAME}/cancel`, { operation });
  await field.api.follow(NAME, operation);
}

/** Variables of proxies in the environment of a unit's main process. */
const environmentOf = (unit: string) =>
  field.on(
    'cp-1',
    `pid=$(systemctl show -P MainPID ${unit}); [ "$pid" != 0 ]; tr '\\0' '\\n' <"/proc/$pid/environ" | grep -i _proxy= || :`,
  );

it('a proxy in every place where a host can name one counts for nothing: phases go through, units have none', async () => {
  const spec = field.spec(NAME);
  try {
    await field.prepared('cp-1', HOSTILE, NOT_HOSTILE, async () => {
      // It is what it seems: a plain command of a login would ask that proxy.
      await expect(field.on('cp-1', 'curl -sS -m 5 http://deb.debian.org/ 2>&1')).rejects.toThrow(/192\.0\.2\.1/);
      await submit(spec);
      await phases('preflight', 'prepare', 'chrony', 'pki', 'binaries', 'registry', 'runtime', 'etcd');
      for (const unit of ['containerd', 'etcd', 'registry']) expect(await environmentOf(unit)).toBe('');
    });
  } finally {
    await field.remove(NAME);
  }
});

it('packages and upstream images come through spec.proxy, nothing of ours does; without it, its files go', async () => {
  const spec = withProxy(field.spec(NAME), { http: proxy, https: proxy, credential: { name: 'field-proxy' } });
  try {
    const dry = await field.dryRun(spec);
    expect(dry.errors).toEqual([]);
    expect(changesOf(dry).map(({ resource }) => resource)).toEqual(
      expect.arrayContaining(['file:/etc/kubewright/proxy.env', 'file:/etc/kubewright/containerd-proxy.env']),
    );
    // Something to fetch, whatever tests before this one have installed.
    await field.on('cp-1', 'apt-get -q -y purge conntrack >&2 || :; apt-get clean');
    login.reached.length = 0;
    await submit(spec);
    const built = await phases('preflight', 'prepare', 'chrony', 'pki', 'binaries', 'registry', 'runtime');
    expect(new Set(login.reached)).toEqual(new Set(['deb.debian.org:80']));
    expect(login.refused).toBe(0);

    // The daemon pulls, with its own environment: ours directly, that of others through the proxy (which may not get there).
    login.reached.length = 0;
    const pull = 'timeout 20 ctr --namespace k8s.io images pull --hosts-dir /etc/containerd/certs.d';
    await field.on('cp-1', `${pull} registry.kubewright.internal:5000/pause:3.10.1 >&2 || :`);
    expect(login.reached).toEqual([]);
    await field.on('cp-1', `${pull} registry.example.com/library/nothing:1 >&2 || :`);
    expect(login.reached).toContain('registry.example.com:443');

    expect(await field.on('cp-1', 'stat -c %a:%U /etc/kubewright/proxy.env /etc/kubewright/containerd-proxy.env')).toBe(
      '600:root\n600:root\n',
    );
    const said = JSON.stringify([
      built,
      dry,
      await field.api.commands(NAME, { operation: built.operationId }),
      await field.on('cp-1', 'systemctl show containerd; ps -eo args; cat /var/lib/kubewright/ledger/placed'),
    ]);
    for (const form of [PASSWORD, encodeURIComponent(PASSWORD), 'Zw3i%2BF4elle%27n']) expect(said).not.toContain(form);

    const without = field.spec(NAME);
    const removing = await field.dryRun(without);
    expect(changesOf(removing)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ resource: 'absent:/etc/kubewright/proxy.env', action: 'remove' }),
      ]),
    );
    await submit(without);
    await phases('preflight', 'prepare', 'runtime');
    expect(await field.on('cp-1', 'ls /etc/kubewright | grep proxy || :')).toBe('');
    expect(await environmentOf('containerd')).toBe('');
  } finally {
    await field.remove(NAME);
  }
  expect(await field.on('cp-1', 'ls /etc/kubewright 2>/dev/null || :')).toBe('');
});

it('a proxy that does not answer is named with its place, in the spec or in the settings of apt', async () => {
  const dead = 'http://192.0.2.1:3128';
  const { error } = await field.refused(withProxy(field.spec(NAME), { https: dead }));
  expect(error).toMatchObject({
    code: 'PROXY_UNREACHABLE',
    message: expect.stringMatching(/192\.0\.2\.1:3128 \(spec\.proxy\.https\)/),
  });

  const conf = '/etc/apt/apt.conf.d/99-theirs';
  await field.prepared(
    'cp-1',
    `printf '// of ours\\nAcquire::http::Proxy "http://ann:geheim99@192.0.2.1:3128";\\n' >${conf}`,
    `rm ${conf}`,
    async () => {
      const refused = await field.refused(field.spec(NAME));
      expect(refused.error.code).toBe('PROXY_UNREACHABLE');
      expect(refused.error.message).toBe(`the proxy 192.0.2.1:3128 of apt, set in ${conf} line 2, does not answer`);
      expect(refused.error.evidence).toMatch(/packages to be installed: .*chrony/);
      expect(JSON.stringify(refused.error)).not.toContain('geheim99');
      // The spec's takes its place.
      const spec = withProxy(field.spec(NAME), { http: proxy, credential: { name: 'field-proxy' } });
      expect((await field.dryRun(spec)).errors).toEqual([]);
    },
  );
});
