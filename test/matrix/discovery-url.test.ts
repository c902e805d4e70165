import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LabEtcd, startEtcd } from '../../lab/etcd-server.ts';
import { type Lab, labDown, labUp } from '../../lab/lab.ts';
import { onHost, type SpecDraft, Workbench } from '../integration/support.ts';

/**
 * The first members find each other by a discovery URL, with the API of etcd 2, which only etcd before 3.6 serves. Not in CI: that
 * etcd is built the first time.
 */

const NAME = 'kwdu';
const MEMBERS = ['cp-1', 'cp-2', 'cp-3'];
let lab: Lab;
let bench: Workbench;
let registry: LabEtcd;

const urlOf = (token: string): string => `${registry.url}/v2/keys/_etcd/registry/${token}`;
const by =
  (token: string) =>
  (spec: SpecDraft): void => {
    spec.phases = { ...spec.phases, etcd: { bootstrap: { mode: 'discovery', url: urlOf(token) } } };
  };
const run = (phase: string, host: string, token: string, signal?: AbortSignal) =>
  bench.run({ phase, host, change: by(token), ...(signal ? { signal } : {}) });
const each = (phase: string, token: string) => Promise.all(MEMBERS.map((host) => run(phase, host, token)));

async function put(path: string, value: string): Promise<void> {
  const answer = await fetch(urlOf(path), { method: 'PUT', body: new URLSearchParams({ value }) });
  expect(answer.ok).toBe(true);
}
async function registered(token: string): Promise<string[]> {
  const { node } = (await (await fetch(urlOf(token))).json()) as { node: { nodes?: { value?: string }[] } };
  return (node.nodes ?? []).flatMap(({ value }) => value ?? []);
}

beforeAll(async () => {
  await labDown(NAME);
  lab = await labUp({ name: NAME, hosts: 3, controlPlanes: 3 });
  const address = lab.hosts[0]!.address.replace(/\d+$/, '1');
  registry = await startEtcd(lab, { address, version: '3.5.16', tls: false, v2: true });
  bench = new Workbench(lab);
  await bench.open();
});
afterAll(async () => {
  await bench?.close();
  await labDown(NAME);
});

it('a URL without a size, with another size, or that other members used is refused before anything starts', async () => {
  const refused = (token: string, code: string, message: RegExp) =>
    expect(run('preflight', 'cp-1', token)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  await refused('no-such-token', 'DISCOVERY_UNUSABLE', /has no size/);
  await put('of-five/_config/size', '5');
  await refused('of-five', 'DISCOVERY_UNUSABLE', /is for 5 members, and the cluster has 3/);
  await put('used/_config/size', '3');
  await put('used/1f', 'db-1=https://10.9.9.9:2380');
  await refused('used', 'DISCOVERY_TOKEN_USED', /used before, by db-1=/);
  await put('used-by-us/_config/size', '3');
  await put('used-by-us/2f', `cp-1=https://${lab.hosts[0]!.address}:2380`);
  await refused('used-by-us', 'DISCOVERY_TOKEN_USED', /used before, by cp-1=/);
  expect(await onHost(lab, 'cp-1', 'ls -d /etc/etcd /var/lib/etcd 2>/dev/null || echo none')).toBe('none\n');
});

it('three members find each other, one of which registered and lost its data before', async () => {
  const token = 'a-founding';
  await put(`${token}/_config/size`, '3');
  await each('preflight', token);
  await each('prepare', token);
  const stop = new AbortController();
  const alone = run('etcd', 'cp-1', token, stop.signal).catch((error: unknown) => error);
  await expect.poll(() => registered(token), { timeout: 60_000 }).toHaveLength(1);
  stop.abort();
  await alone;
  await onHost(lab, 'cp-1', 'systemctl stop etcd.service; rm -rf /var/lib/etcd/member');

  await each('preflight', token);
  await each('etcd', token);
  const list = await onHost(
    lab,
    'cp-2',
    'etcdctl --cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/health.crt --key /etc/etcd/pki/health.key --endpoints https://127.0.0.1:2379 member list',
  );
  expect(list.match(/, started, cp-\d, /g)).toHaveLength(3);
  expect(await onHost(lab, 'cp-2', 'cat /etc/etcd/bootstrap.env')).toContain(`ETCD_DISCOVERY=${urlOf(token)}\n`);
  expect(await onHost(lab, 'cp-1', 'cat /etc/etcd/bootstrap.env')).toContain('ETCD_INITIAL_CLUSTER=cp-1=https://');
  await registry.stop();
  await each('preflight', token);
  for (const host of MEMBERS) expect(await run('etcd', host, token)).toMatchObject({ changes: [], commands: 1 });
});
