import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OperationStatus } from '../../contracts/operation.ts';
import { type LabEtcd, startEtcd } from '../../lab/etcd-server.ts';
import { execInHost } from '../../lab/faults.ts';
import { type Bench, freshBench } from './support.ts';

/** A cluster whose objects are in an etcd of others, with users: refused, founded, built again, torn down; the keys stay. */

const PREFIX = '/kube/prod';
let bench: Bench;
let etcd: LabEtcd;

const on = async (script: string): Promise<string> => {
  const { code, stdout, stderr } = await execInHost(bench.lab, 'cp-1', ['sh', '-euc', script]);
  if (code !== 0) throw new Error(`exit code ${code}: ${stdout}${stderr}`);
  return stdout;
};
const put = async (name: string, commonName: string): Promise<void> => {
  const { cert, key } = await etcd.client(commonName);
  const body = { kind: 'client-certificate', certificate: cert, privateKey: key, ca: etcd.ca, clusters: ['*'] };
  await bench.api.request('PUT', `/credentials/${name}`, body);
};
interface Draft {
  spec: { hosts: { roles: string[] }[]; phases?: Record<string, object>; policy?: object };
}
function specOf(credential: string, prefix = PREFIX): Draft {
  const spec = structuredClone(bench.lab.spec) as unknown as Draft;
  for (const host of spec.spec.hosts) host.roles = host.roles.filter((role) => role !== 'etcd');
  const bootstrap = { mode: 'external', endpoints: [etcd.url], credential: { name: credential }, prefix };
  spec.spec.phases = { ...spec.spec.phases, etcd: { bootstrap } };
  return spec;
}
async function build(spec: object): Promise<OperationStatus> {
  const { operation } = await bench.api.request<{ operation: string }>('POST', '/clusters', spec);
  return bench.api.follow(bench.name, operation);
}
const keys = async (): Promise<string[]> =>
  (await etcd.ctl('get', `${PREFIX}/`, '--prefix', '--keys-only')).split('\n').filter((key) => key !== '');

beforeAll(async () => {
  bench = await freshBench('kxe', 1);
  const readwrite = (prefix: string) => ({ prefix, permission: 'readwrite' as const });
  etcd = await startEtcd(bench.lab, {
    address: bench.lab.hosts[0]!.address.replace(/\d+$/, '1'),
    users: [
      { name: 'kube', grants: [readwrite('/kube/'), readwrite('compact_rev_key')] },
      { name: 'stranger', grants: [] },
    ],
  });
  await put('etcd-client', 'kube');
  await put('no-rights', 'stranger');
});
afterAll(async () => {
  await etcd?.stop();
  await bench?.end();
});

it('a client without rights, and keys of others below the prefix, stop the host before anything starts', async () => {
  const refused = async (spec: Draft) => {
    spec.spec.policy = { onHostFailure: 'abort' };
    const status = await build(spec);
    expect(status.state).not.toBe('succeeded');
    return status.tasks.flatMap(({ error }) => error ?? []);
  };
  expect(await refused(specOf('no-rights'))).toMatchObject([{ code: 'EXTERNAL_ETCD_FORBIDDEN', host: 'cp-1' }]);
  await etcd.ctl('put', '/kube/taken/namespaces/default', 'x');
  expect(await refused(specOf('etcd-client', '/kube/taken'))).toMatchObject([{ code: 'EXTERNAL_ETCD_IN_USE' }]);
  expect(await on('ls -d /etc/kubernetes /usr/local/bin/kube-apiserver 2>/dev/null || echo none')).toBe('none\n');
  expect(await keys()).toEqual([]);
});

it('is founded below its prefix, is healthy, and a second build changes nothing', async () => {
  const first = await build(specOf('etcd-client'));
  expect(first.tasks.flatMap(({ error }) => error ?? [])).toEqual([]);
  expect(first.state).toBe('succeeded');
  expect(first.health?.reasons).toEqual([]);
  expect(await keys()).toEqual(expect.arrayContaining([`${PREFIX}/.kubewright`, `${PREFIX}/namespaces/kube-system`]));
  expect(await on('ls -d /etc/etcd /var/lib/etcd 2>/dev/null || echo none')).toBe('none\n');
  const second = await build(specOf('etcd-client'));
  expect(second.state).toBe('succeeded');
  expect(second.tasks.filter(({ changeCount }) => changeCount !== 0)).toEqual([]);
});

it('no build moves a cluster that runs to another prefix', async () => {
  await expect(build(specOf('etcd-client', '/kube/other'))).rejects.toThrow(/SWITCH_REFUSED/);
});

it('a teardown leaves every key', async () => {
  const before = await keys();
  const { operation } = await bench.api.request<{ operation: string }>(
    'DELETE',
    `/clusters/${bench.name}?confirm=${bench.name}`,
  );
  expect((await bench.api.follow(bench.name, operation)).state).toBe('succeeded');
  expect(await keys()).toEqual(
    expect.arrayContaining(before.filter((key) => !/\/(events|leases|masterleases|peerserverleases)\//.test(key))),
  );
});
