import dnsPacket from 'dns-packet';
import { describe, expect, it, test } from 'vitest';
import {
  type Bootstrap,
  bootstrapEnvironment,
  bootstrapNames,
  bootstrapOption,
  bootstrapRecords,
  peerName,
} from '../../../activities/phases/etcd/bootstrap.ts';
import { etcdBootstrap } from '../../../activities/phases/etcd/environment.ts';
import srvRecords from '../../../activities/phases/preflight/checks/srv-records.ts';
import { sampleCluster } from '../../golden/golden.ts';

const SRV: Bootstrap = { mode: 'dns-srv', domain: 'example.com', service: 'prod' };
const cluster = sampleCluster({
  hosts: ['a', 'b', 'c'].map((name, index) => ({
    name,
    address: `10.0.0.${index + 1}`,
    roles: ['control-plane', 'etcd'],
  })),
});
const [host] = cluster.spec.hosts;

test('a founder finds the others by the list, or by the domain', () => {
  const members = [{ name: 'a', peerUrl: 'https://10.0.0.1:2380' }];
  for (const bootstrap of [undefined, { mode: 'static' }] as Bootstrap[]) {
    expect(bootstrapEnvironment(bootstrap, members)).toEqual({ ETCD_INITIAL_CLUSTER: 'a=https://10.0.0.1:2380' });
    expect(peerName(host!, bootstrap)).toBeNull();
    expect(bootstrapNames(host!, bootstrap)).toEqual([]);
    expect(bootstrapRecords(cluster, bootstrap, '/var/lib/etcd')).toEqual([]);
  }
  expect(etcdBootstrap({ state: 'new', token: 't', finds: bootstrapEnvironment(SRV, members) })).toBe(
    '# Written by Kubewright.\nETCD_DISCOVERY_SRV=example.com\nETCD_DISCOVERY_SRV_NAME=prod\nETCD_INITIAL_CLUSTER_TOKEN=t\nETCD_INITIAL_CLUSTER_STATE=new\n',
  );
  // Peers compare the certificate with the domain, too.
  expect(bootstrapNames(host!, SRV)).toEqual(['example.com', 'a.example.com']);
  expect(peerName(host!, SRV)).toBe('a.example.com');
});

test.each([
  { mode: 'dns-srv' },
  { mode: 'dns-srv', domain: 'not a name' },
  { mode: 'dns-srv', domain: 'example.com', service: 'Upper' },
  { mode: 'static', domain: 'example.com' },
  { mode: 'guess' },
])('%o is refused', (value) => expect(bootstrapOption.safeParse(value).success).toBe(false));

describe('the records that a host sees', () => {
  const [server, client] = bootstrapRecords(cluster, SRV, '/var/lib/etcd');
  const of = { requirements: [{ phase: 'etcd', srvRecords: [server!, client!] }] } as never;
  const answer = (name: string, targets: readonly string[], port: number, rcode?: string) =>
    dnsPacket
      .encode({
        type: 'response',
        id: 1,
        questions: [{ type: 'SRV', name }],
        answers: targets.map((target) => ({ type: 'SRV' as const, name, data: { target, port } })),
        ...(rcode ? { rcode } : {}),
      } as never)
      .toString('hex');
  const addresses = (name: string) =>
    ['a', 'b', 'c'].map((each, index) => [name, 'address', `${each}.example.com`, `10.0.0.${index + 1}`]);
  const names = ['a', 'b', 'c'].map((each) => `${each}.example.com`);
  const rows = (targets: readonly string[]) => [
    [server!.name, 'answer', '10.0.0.53', answer(server!.name, targets, 2380)],
    ...addresses(server!.name),
    [client!.name, 'answer', '10.0.0.53', answer(client!.name, names, 2379)],
    ...addresses(client!.name),
  ];
  const messages = (seen: readonly (readonly string[])[]) =>
    srvRecords.evaluate(of, seen).map(({ message }) => message);

  it('are asked for by the name of the service', () => {
    expect([server!.name, client!.name]).toEqual([
      '_etcd-server-ssl-prod._tcp.example.com',
      '_etcd-client-ssl-prod._tcp.example.com',
    ]);
  });

  it('fit, whatever their case and order', () => {
    expect(messages(rows([...names].reverse()))).toEqual([]);
    expect(messages(rows(names.map((name) => `${name.toUpperCase()}.`)))).toEqual([]);
    // A host with data is not asked.
    expect(messages([])).toEqual([]);
  });

  it('lack a member, or name another machine', () => {
    expect(messages(rows(names.slice(1)))).toEqual([
      '_etcd-server-ssl-prod._tcp.example.com does not name a.example.com:2380',
    ]);
    expect(messages(rows([...names, 'd.example.com']))).toEqual([
      '_etcd-server-ssl-prod._tcp.example.com names d.example.com:2380, no host of the cluster',
    ]);
  });

  it('are malformed, missing, or come from nowhere', () => {
    const first = (row: readonly string[]) => messages([row, ...rows(names).slice(1)]);
    expect(first([server!.name, 'answer', '10.0.0.53', 'ff00'])).toEqual([
      '_etcd-server-ssl-prod._tcp.example.com: the answer of the name server is malformed',
    ]);
    expect(first([server!.name, 'answer', '10.0.0.53', answer(server!.name, [], 1)])).toEqual([
      expect.stringContaining('there are no such records'),
    ]);
    expect(first([server!.name, 'none', 'no name server'])).toEqual([
      'no name server answers about _etcd-server-ssl-prod._tcp.example.com',
    ]);
  });
});
