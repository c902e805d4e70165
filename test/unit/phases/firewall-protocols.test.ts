import { describe, expect, test } from 'vitest';
import { quote } from '../../../activities/host/quote.ts';
import { firewallNeeds } from '../../../activities/phases/firewall.ts';
import { iptablesChains } from '../../../activities/phases/preflight/firewall/iptables.ts';
import { outcomeOf } from '../../../activities/phases/preflight/firewall/model.ts';
import { nftChains } from '../../../activities/phases/preflight/firewall/nftables.ts';
import { conflictsIn } from '../../../activities/phases/required.ts';
import firewalldKind, { firewalldRules } from '../../../activities/resources/firewalld-rules.ts';
import ufwKind, { ufwRules } from '../../../activities/resources/ufw-rules.ts';
import { sampleCluster } from '../../golden/golden.ts';

/** VRRP has no ports: the firewalls of the hosts have to let the protocol in. */

const hosts = [
  { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd'] },
  { name: 'lb-1', address: '10.20.0.21', roles: ['load-balancer'] },
  { name: 'lb-2', address: '10.20.0.22', roles: ['load-balancer'] },
];
const cluster = sampleCluster({ hosts });
const requirements = [
  {
    phase: 'balancers',
    protocols: [{ protocol: 'vrrp' as const, what: 'keepalived', from: ['load-balancer' as const] }],
  },
];
const needs = firewallNeeds(cluster, cluster.spec.hosts[1]!, requirements, { apiFrom: [], nodePortsFrom: [] });

test('a protocol without ports is let in from the other hosts of its role', () => {
  expect(needs.openings).toEqual([
    expect.objectContaining({ protocol: 'vrrp', port: null, what: 'keepalived', sources: ['10.20.0.22'] }),
  ]);
});

test('ufw: a rule for the protocol, recognised when it is there, deleted when it is ours and no longer wanted', () => {
  const resource = ufwRules(needs);
  expect(resource.rules).toEqual([{ rule: 'allow from 10.20.0.22 proto vrrp', comment: 'kubewright: keepalived' }]);
  const shown = ufwKind.parse(
    "active\nufw allow from 10.20.0.22 proto vrrp comment 'kubewright: keepalived'\n",
    resource,
  );
  expect(ufwKind.diff(resource, shown, {} as never)).toEqual([]);
  expect(ufwKind.diff(ufwRules({ openings: [], passages: [] }), shown, {} as never)).toMatchObject([
    { detail: 'no longer: allow from 10.20.0.22 proto vrrp' },
  ]);
});

test('firewalld: a rich rule for the protocol, recognised when it is there', () => {
  const resource = firewalldRules(needs, '10.20.0.21');
  expect(resource.ports).toEqual(['10.20.0.22 vrrp']);
  const bare = firewalldKind.parse('looked\nzone public\n', resource);
  const { script } = firewalldKind.fragment!(resource, bare, { quote } as never);
  const rule = 'rule family="ipv4" source address="10.20.0.22" protocol value="vrrp" accept';
  expect(script).toContain(`--zone=public '--add-rich-rule=${rule}'`);
  const open = firewalldKind.parse(`looked\nzone public\nnow ${rule}\nkept ${rule}\n`, resource);
  expect(firewalldKind.diff(resource, open, {} as never)).toEqual([]);
});

const packet = {
  hook: 'input' as const,
  ...{ source: '10.20.0.22', destination: '10.20.0.21', protocol: 'vrrp' as const, port: null },
};

test.each([
  ['by its name', '-A INPUT -s 10.20.0.22/32 -p vrrp -j ACCEPT', 'accept'],
  ['by its number', '-A INPUT -p 112 -j ACCEPT', 'accept'],
  ['another protocol', '-A INPUT -p tcp -m tcp --dport 443 -j ACCEPT', 'drop'],
])('preflight reads a rule of iptables about the protocol: %s', (_what, rule, end) => {
  const chains = iptablesChains([':INPUT DROP [0:0]', rule]);
  expect(outcomeOf(chains.get('INPUT')!, chains, packet).end).toBe(end);
});

test.each([
  ['by its name', 'vrrp', 'accept'],
  ['by its number', 112, 'accept'],
  ['another protocol', 'tcp', 'drop'],
])('preflight reads a rule of nftables about the protocol: %s', (_what, right, end) => {
  const chain = { family: 'inet', table: 'filter', name: 'input', hook: 'input', policy: 'drop' };
  const match = { op: '==', left: { meta: { key: 'l4proto' } }, right };
  const rule = { family: 'inet', table: 'filter', chain: 'input', expr: [{ match }, { accept: null }] };
  const chains = nftChains(JSON.stringify({ nftables: [{ chain }, { rule }] }))!;
  expect(outcomeOf(chains.get('input')!, chains, packet).end).toBe(end);
});

describe('gre', () => {
  const tunnels = [
    { phase: 'network', protocols: [{ protocol: 'gre' as const, what: 'tunnels', from: ['nodes' as const] }] },
  ];
  const nodes = [...hosts, { name: 'worker-1', address: '10.20.0.31', roles: ['worker'] }];
  const both = firewallNeeds(sampleCluster({ hosts: nodes }), cluster.spec.hosts[0]!, [...tunnels, ...requirements], {
    apiFrom: [],
    nodePortsFrom: [],
  });

  test('is let in beside other protocols, each from its own sources', () => {
    expect(both.openings.map(({ protocol, sources }) => [protocol, sources])).toEqual([
      ['gre', ['10.20.0.31']],
      ['vrrp', ['10.20.0.21', '10.20.0.22']],
    ]);
  });

  test('has rules in ufw and firewalld that are recognised and deleted as ours', () => {
    const rules = ufwRules(both);
    expect(rules.rules[0]).toEqual({ rule: 'allow from 10.20.0.31 proto gre', comment: 'kubewright: tunnels' });
    const shown = ufwKind.parse("active\nufw allow from 10.20.0.31 proto gre comment 'kubewright: tunnels'\n", rules);
    expect(ufwKind.diff(ufwRules({ openings: [], passages: [] }), shown, {} as never)).toMatchObject([
      { detail: 'no longer: allow from 10.20.0.31 proto gre' },
    ]);
    const resource = firewalldRules(both, '10.20.0.11');
    const bare = firewalldKind.parse('looked\nzone public\nours public/10.20.0.9 gre\n', resource);
    const { script } = firewalldKind.fragment!(resource, bare, { quote } as never);
    const rule = 'rule family="ipv4" source address="10.20.0.31" protocol value="gre" accept';
    expect(script).toContain(`--zone=public '--add-rich-rule=${rule}'`);
    expect(
      firewalldKind.undo!([{ kind: 'firewalld-rules', id: 'public/10.20.0.9 gre', phase: 'p', prior: {} }], {
        quote,
      } as never)[0]!.script,
    ).toContain(`'--remove-rich-rule=rule family="ipv4" source address="10.20.0.9" protocol value="gre" accept'`);
  });

  test.each([
    ['-A INPUT -p gre -j ACCEPT', 'accept'],
    ['-A INPUT -p 47 -j ACCEPT', 'accept'],
    ['-A INPUT -p vrrp -j ACCEPT', 'drop'],
  ])('preflight reads `%s`: %s', (rule, end) => {
    const chains = iptablesChains([':INPUT DROP [0:0]', rule]);
    expect(outcomeOf(chains.get('INPUT')!, chains, { ...packet, protocol: 'gre' }).end).toBe(end);
  });
});

describe('ipencap, which RHEL names otherwise and ufw has no rule for', () => {
  const nodes = [...hosts, { name: 'worker-1', address: '10.20.0.31', roles: ['worker'] }];
  const tunnels = [
    { phase: 'network', protocols: [{ protocol: 'ipencap' as const, what: 'tunnels', from: ['nodes' as const] }] },
  ];
  const wanted = firewallNeeds(sampleCluster({ hosts: nodes }), cluster.spec.hosts[0]!, tunnels, {
    apiFrom: [],
    nodePortsFrom: [],
  });
  const rule = 'rule family="ipv4" source address="10.20.0.31" protocol value="4" accept';

  test('has a rule of firewalld by its number, recognised when it is there and taken away', () => {
    const resource = firewalldRules(wanted, '10.20.0.11');
    const bare = firewalldKind.parse('looked\nzone public\n', resource);
    const { script } = firewalldKind.fragment!(resource, bare, { quote } as never);
    expect(script).toContain(`--zone=public '--add-rich-rule=${rule}'`);
    const open = firewalldKind.parse(`looked\nzone public\nnow ${rule}\nkept ${rule}\n`, resource);
    expect(firewalldKind.diff(resource, open, {} as never)).toEqual([]);
    const entry = { kind: 'firewalld-rules', id: 'public/10.20.0.31 ipencap', phase: 'p', prior: {} };
    expect(firewalldKind.undo!([entry], { quote } as never)[0]!.script).toContain(`'--remove-rich-rule=${rule}'`);
  });

  test('has none of ufw', () => {
    expect(ufwRules(wanted).rules).toEqual([]);
  });
});

test('a clash of two ports says which field of the spec changes one of them', () => {
  const port = { protocol: 'tcp' as const, port: 6443, from: [], on: 'all' as const };
  const clash = conflictsIn([
    { phase: 'one', ports: [{ ...port, what: 'haproxy', setting: 'spec.a.port' }] },
    { phase: 'two', ports: [{ ...port, what: 'kube-apiserver' }] },
  ]);
  expect(clash).toEqual([
    'the port 6443/tcp cannot be that of two programs: haproxy of the phase one and kube-apiserver of the phase two; set spec.a.port to another port',
  ]);
});
