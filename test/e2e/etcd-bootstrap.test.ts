import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TaskResult } from '../../contracts/operation.ts';
import { type LabDns, type LabRecords, startDns } from '../../lab/dns-server.ts';
import { type Lab, labDown, labUp } from '../../lab/lab.ts';
import { onHost, type SpecDraft, Workbench } from '../integration/support.ts';

/** How the first members of etcd find each other, beside the static list: preflight and the phase alone, on bare hosts. */

const NAME = 'kweb';
const DOMAIN = 'cluster.example';
const MEMBERS = ['cp-1', 'cp-2', 'cp-3'];
let lab: Lab;
let bench: Workbench;
let dns: LabDns;

const bySrv = (spec: SpecDraft) => {
  spec.phases = { ...spec.phases, etcd: { bootstrap: { mode: 'dns-srv', domain: DOMAIN } } };
};
const run = (phase: string, host: string): Promise<TaskResult> => bench.run({ phase, host, change: bySrv });
const each = (phase: string) => Promise.all(MEMBERS.map((host) => run(phase, host)));

function records(hosts: readonly string[] = MEMBERS, more: readonly string[] = []): LabRecords {
  const targets = (port: number) => [...hosts, ...more].map((host) => ({ target: `${host}.${DOMAIN}`, port }));
  return {
    addresses: Object.fromEntries(lab.hosts.map(({ name, address }) => [`${name}.${DOMAIN}`, address])),
    srv: {
      [`_etcd-server-ssl._tcp.${DOMAIN}`]: targets(2380),
      [`_etcd-client-ssl._tcp.${DOMAIN}`]: targets(2379),
    },
  };
}

beforeAll(async () => {
  await labDown(NAME);
  lab = await labUp({ name: NAME, hosts: 3, controlPlanes: 3 });
  const gateway = lab.hosts[0]!.address.replace(/\d+$/, '1');
  dns = await startDns(gateway, { addresses: {}, srv: {} });
  await Promise.all(lab.hosts.map(({ name }) => onHost(lab, name, `echo 'nameserver ${gateway}' >/etc/resolv.conf`)));
  bench = new Workbench(lab);
  await bench.open();
});
afterAll(async () => {
  await bench?.close();
  await dns?.stop();
  await labDown(NAME);
});

it('SRV records that are missing, incomplete, or name other machines stop the host before anything starts', async () => {
  const refused = (message: RegExp) =>
    expect(run('preflight', 'cp-1')).rejects.toMatchObject({
      code: 'SRV_RECORDS_WRONG',
      message: expect.stringMatching(message),
    });
  dns.set({ addresses: { [`x.${DOMAIN}`]: '10.0.0.1' }, srv: {} });
  await refused(/_etcd-server-ssl\._tcp\.cluster\.example: there are no such records/);
  dns.set(records(['cp-1', 'cp-2']));
  await refused(/does not name cp-3\.cluster\.example:2380/);
  dns.set(records(MEMBERS, ['stranger']));
  await refused(/names stranger\.cluster\.example:2380, no host of the cluster/);
  const good = records();
  dns.set({ ...good, addresses: { ...good.addresses, [`cp-2.${DOMAIN}`]: '10.0.0.9' } });
  await refused(/cp-2\.cluster\.example leads to 10\.0\.0\.9, not to/);
  expect(await onHost(lab, 'cp-1', 'ls -d /etc/etcd /var/lib/etcd 2>/dev/null || echo none')).toBe('none\n');
});

it('three members form by their SRV records, and a member that lost its disk joins again', async () => {
  dns.set(records());
  await each('preflight');
  await each('prepare');
  await each('etcd');
  const ETCDCTL =
    'etcdctl --cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/health.crt --key /etc/etcd/pki/health.key --endpoints https://127.0.0.1:2379';
  const members = async () =>
    (await onHost(lab, 'cp-1', `${ETCDCTL} member list`))
      .trim()
      .split('\n')
      .map((line) => line.split(', ').slice(1, 4).join(' '))
      .sort();
  const wanted = MEMBERS.map((name) => `started ${name} https://${name}.${DOMAIN}:2380`);
  expect(await members()).toEqual(wanted);
  expect(await onHost(lab, 'cp-1', 'cat /etc/etcd/bootstrap.env')).toContain(`ETCD_DISCOVERY_SRV=${DOMAIN}\n`);
  for (const host of MEMBERS) expect(await run('etcd', host)).toMatchObject({ changes: [], commands: 1 });

  await onHost(lab, 'cp-3', 'systemctl stop etcd.service; rm -rf /var/lib/etcd/member');
  await run('etcd', 'cp-3');
  expect(await members()).toEqual(wanted);
  // Members that have their data do not ask for the records any more.
  dns.set({ addresses: records().addresses, srv: {} });
  await each('preflight');
});
