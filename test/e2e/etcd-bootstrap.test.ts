import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { issueCa } from '../../activities/pki/certificates.ts';
import type { CredentialValue } from '../../contracts/credential.ts';
import type { TaskResult } from '../../contracts/operation.ts';
import { type LabDns, type LabRecords, startDns } from '../../lab/dns-server.ts';
import { type LabEtcd, startEtcd } from '../../lab/etcd-server.ts';
import { type Lab, labDown, labUp } from '../../lab/lab.ts';
import { onHost, type SpecDraft, Workbench } from '../integration/support.ts';

/** How the first members of etcd find each other, beside the static list: preflight and the phase alone, on bare hosts. */

const NAME = 'kweb';
const DOMAIN = 'cluster.example';
const MEMBERS = ['cp-1', 'cp-2', 'cp-3'];
let lab: Lab;
let bench: Workbench;
let dns: LabDns;
let registry: LabEtcd;

const bySrv = (spec: SpecDraft) => {
  spec.phases = { ...spec.phases, etcd: { bootstrap: { mode: 'dns-srv', domain: DOMAIN } } };
};
const run = (phase: string, host: string, change = bySrv): Promise<TaskResult> => bench.run({ phase, host, change });
const each = (phase: string, change = bySrv) => Promise.all(MEMBERS.map((host) => run(phase, host, change)));

const ETCDCTL =
  'etcdctl --cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/health.crt --key /etc/etcd/pki/health.key --endpoints https://127.0.0.1:2379';
/** Members as one of them lists them: state, name, peer URL. */
const members = async (): Promise<string[]> =>
  (await onHost(lab, 'cp-1', `${ETCDCTL} member list`))
    .trim()
    .split('\n')
    .map((line) => line.split(', ').slice(1, 4).join(' '))
    .sort();

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
  await registry?.stop();
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

describe('discovery', () => {
  const TOKEN = 'first-founding';
  const byDiscovery =
    (more: object = {}) =>
    (spec: SpecDraft): void => {
      const bootstrap = { endpoints: [registry.url], token: TOKEN, credential: { name: 'registry' } };
      spec.phases = { ...spec.phases, etcd: { bootstrap: { mode: 'discovery', ...bootstrap, ...more } } };
    };
  const registered = async (token: string): Promise<string[]> =>
    (await registry.ctl('get', '--prefix', '--print-value-only', `/_etcd/registry/${token}/`))
      .trim()
      .split('\n')
      .sort();
  const ours = () => lab.hosts.map(({ name, address }) => `${name}=https://${address}:2380`);

  /** The hosts without etcd, and an installation with an empty store. */
  async function anew(): Promise<void> {
    await bench.close();
    const gone = '/etc/etcd /var/lib/etcd /etc/systemd/system/etcd.service /var/lib/kubewright /etc/kubewright';
    await Promise.all(
      MEMBERS.map((host) => onHost(lab, host, `systemctl stop etcd.service; rm -rf ${gone}; systemctl daemon-reload`)),
    );
    bench = new Workbench(lab);
    await bench.open();
    const { cert, key } = await registry.client('founder');
    const stranger = await registry.client('stranger');
    const of = (issued: typeof stranger, ca = registry.ca) =>
      ({
        kind: 'client-certificate',
        certificate: issued.cert,
        privateKey: issued.key,
        ca,
        clusters: ['*'],
      }) as CredentialValue;
    const other = await issueCa('another CA', new Date());
    await bench.store.credentials.put('registry', of({ cert, key }));
    await bench.store.credentials.put('wrong-ca', of({ cert, key }, other.cert));
    await bench.store.credentials.put('stranger', of(stranger));
  }

  beforeAll(async () => {
    const address = lab.hosts[0]!.address.replace(/\d+$/, '1');
    const grants = [{ prefix: '/_etcd/registry/', permission: 'readwrite' as const }];
    registry = await startEtcd(lab, {
      address,
      users: [
        { name: 'founder', grants },
        { name: 'stranger', grants: [] },
      ],
    });
    await anew();
  });

  it('an etcd that cannot be used, and a token that others used, stop the host before anything starts', async () => {
    const refused = async (more: object, code: string, message: RegExp, evidence: RegExp) =>
      expect(run('preflight', 'cp-1', byDiscovery(more))).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
        evidence: expect.stringMatching(evidence),
      });
    const unusable = (more: object, message: RegExp, evidence: RegExp) =>
      refused(more, 'DISCOVERY_UNUSABLE', message, evidence);
    const closed = registry.url.replace(/\d+$/, '2399');
    await unusable({ endpoints: [closed] }, /:2399 takes no connection/, /curl ends with 7: .*refused|connect/);
    await unusable({ credential: { name: 'wrong-ca' } }, /CA of the credential did not sign/, /curl ends with 60/);
    await unusable(
      { credential: { name: 'stranger' } },
      /does not allow to read and write below \/_etcd\/registry\/first-founding\//,
      /permission denied/,
    );
    await unusable({ credential: undefined }, /certificate/, /curl ends with/);
    const plain = registry.url.replace('https', 'http');
    await unusable(
      { endpoints: [plain], credential: undefined },
      /does not answer as etcd 3|cannot be asked|takes no/,
      /./,
    );

    await registry.ctl('put', '/_etcd/registry/five-members/_config/size', '5');
    await unusable({ token: 'five-members' }, /is for 5 members, and the cluster has 3/, /size 5/);
    await registry.ctl('put', '/_etcd/registry/used-before/members/1f', 'db-1=https://10.9.9.9:2380');
    await refused(
      { token: 'used-before' },
      'DISCOVERY_TOKEN_USED',
      /used before, by db-1=https:/,
      /registered: db-1=https:\/\/10\.9\.9\.9:2380/,
    );
    await registry.ctl('put', '/_etcd/registry/of-another/_config/kubewright', 'other-cluster 0123456789ab');
    await refused(
      { token: 'of-another' },
      'DISCOVERY_TOKEN_USED',
      /by the cluster other-cluster/,
      /registered: no member/,
    );

    expect(await registered(TOKEN)).toEqual(['']);
    expect(await onHost(lab, 'cp-1', 'ls -d /etc/etcd /var/lib/etcd 2>/dev/null || echo none')).toBe('none\n');
  });

  it('three members find each other, and need neither the registry nor its credential any more', async () => {
    await each('preflight', byDiscovery());
    await each('prepare', byDiscovery());
    await each('etcd', byDiscovery());
    const wanted = ours().map((each) => `started ${each.replace('=', ' ')}`);
    expect(await members()).toEqual(wanted);
    expect(await registered(TOKEN)).toEqual(['3', ...ours(), expect.stringMatching(/^kweb [0-9a-f]{12}$/)]);
    const bootstrap = await onHost(lab, 'cp-1', 'cat /etc/etcd/bootstrap.env; ls /etc/etcd/pki');
    expect(bootstrap).toContain(`ETCD_DISCOVERY_ENDPOINTS=${registry.url}\nETCD_DISCOVERY_TOKEN=${TOKEN}\n`);
    expect(bootstrap).not.toMatch(/^discovery/m);

    await registry.halt();
    await bench.store.credentials.delete('registry');
    await each('preflight', byDiscovery());
    for (const host of MEMBERS)
      expect(await run('etcd', host, byDiscovery())).toMatchObject({ changes: [], commands: 1 });
    await onHost(lab, 'cp-2', 'systemctl restart etcd.service');
    await onHost(lab, 'cp-3', 'systemctl stop etcd.service; rm -rf /var/lib/etcd/member');
    await run('etcd', 'cp-3', byDiscovery());
    expect(await members()).toEqual(wanted);
    await registry.resume();
  });

  it('a founding that ended early goes on, and another cluster of the same hosts needs a token of its own', async () => {
    await anew();
    const again = byDiscovery({ token: 'second-founding' });
    await expect(run('preflight', 'cp-1', byDiscovery())).rejects.toMatchObject({
      code: 'DISCOVERY_TOKEN_USED',
      message: expect.stringContaining('used before, by the cluster kweb, in an earlier life or elsewhere'),
    });
    await each('preflight', again);
    const stop = new AbortController();
    const alone = bench
      .run({ phase: 'etcd', host: 'cp-1', change: again, signal: stop.signal })
      .catch((error: unknown) => error);
    await expect.poll(() => registered('second-founding'), { timeout: 60_000 }).toContain(ours()[0]);
    stop.abort();
    await alone;
    await onHost(lab, 'cp-1', 'systemctl stop etcd.service; rm -rf /var/lib/etcd/member');

    await each('preflight', again);
    await each('etcd', again);
    expect(await members()).toEqual(ours().map((each) => `started ${each.replace('=', ' ')}`));
    expect(await onHost(lab, 'cp-1', 'ls /etc/etcd/pki')).not.toMatch(/^discovery/m);
  });
});
