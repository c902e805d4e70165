import { describe, expect, test } from 'vitest';
import firewall from '../../../activities/phases/preflight/checks/firewall.ts';
import { type GoldenCase, requirementsOf, sampleCluster, sampleFacts } from '../../golden/golden.ts';

function problems(rows: readonly (readonly string[])[], sample: Omit<GoldenCase, 'name'> = {}) {
  const cluster = sampleCluster(sample);
  const host = cluster.spec.hosts[0]!;
  const input = {
    cluster,
    host,
    requirements: requirementsOf(cluster, host),
    options: {} as never,
    facts: sampleFacts,
    duplicateHost: null,
    askedAtMs: 0,
    answeredAtMs: 0,
  };
  return firewall.evaluate(input, rows);
}
const iptables = (...lines: string[]) => lines.map((line) => ['iptables', line]);
const base = [':INPUT ACCEPT [0:0]', ':FORWARD ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]'];
const ESTABLISHED = '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT';
const REJECTS = '-A INPUT -j REJECT --reject-with icmp-host-prohibited';
/** What a cluster of the sample needs of its first host. */
const OPEN = [
  '-A INPUT -s 10.20.0.0/24 -p tcp -m multiport --dports 2379:2380,4443,5000,6443,10250 -m comment --comment "the cluster" -j ACCEPT',
  '-A INPUT -s 10.20.0.0/24 -p udp -m udp --dport 8472 -j ACCEPT',
  '-A INPUT -s 10.20.0.0/255.255.255.0 -p udp -m udp --dport 123 -j ACCEPT',
  '-A INPUT -s 10.244.0.0/16 ! -p icmp -j ACCEPT',
];

describe('iptables', () => {
  test('a table that ends with REJECT is named with its rule, the ports, their hosts, and commands', () => {
    const [found, ...rest] = problems(
      iptables(
        ...base,
        ESTABLISHED,
        '-A INPUT -i lo -j ACCEPT',
        '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
        REJECTS,
      ),
    );
    expect(rest).toEqual([]);
    expect(found).toMatchObject({ code: 'FIREWALL_BLOCKS' });
    expect(found?.message).toContain(`table ip filter, chain INPUT, rule ${REJECTS}`);
    for (const port of [
      '2379/tcp (etcd)',
      '6443/tcp (kube-apiserver)',
      '10250/tcp (kubelet)',
      '8472/udp (flannel)',
      '123/udp (chronyd)',
    ]) {
      expect(found?.evidence).toContain(port);
    }
    expect(found?.evidence).toContain('from 10.20.0.12, 10.20.0.13, 10.244.0.0/16');
    expect(found?.evidence).toContain(
      'iptables -I INPUT -s 10.20.0.12,10.20.0.13 -p udp -m multiport --dports 8472,123 -j ACCEPT',
    );
  });

  test.each([
    ['everything that is needed is let in', [...base, ESTABLISHED, ...OPEN, REJECTS]],
    [
      'the policy drops, and a foreign chain accepts',
      [
        ':INPUT DROP [0:0]',
        ':office - [0:0]',
        '-A INPUT -j office',
        ...OPEN.map((rule) => rule.replace('INPUT', 'office')),
      ],
    ],
    ['an unknown match may let it in', [':INPUT DROP [0:0]', '-A INPUT -m set --match-set cluster src -j ACCEPT']],
    ['an interface may be that of the cluster', [':INPUT DROP [0:0]', '-A INPUT -i eth1 -j ACCEPT']],
    ['Docker closes the hook forward by policy', [':INPUT ACCEPT [0:0]', ':FORWARD DROP [0:0]']],
    [
      'only other states are dropped',
      [...base, '-A INPUT -m state --state INVALID -j DROP', '-A INPUT -p tcp -m tcp --dport 23 -j DROP'],
    ],
    [
      'ours alone',
      [
        ...base,
        ':KUBE-FIREWALL - [0:0]',
        '-A INPUT -j KUBE-FIREWALL',
        '-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
      ],
    ],
  ])('no problem: %s', (_what, lines) => expect(problems(iptables(...lines))).toEqual([]));

  test('what forwards nothing by a rule is named; so is a deny of one port', () => {
    expect(
      problems(iptables(...base, '-A FORWARD -j REJECT --reject-with icmp-host-prohibited'))[0]?.message,
    ).toContain('chain FORWARD, rule');
    expect(
      problems(iptables(':INPUT DROP [0:0]', ...OPEN.slice(1), OPEN[0]!.replace('2379:2380', '2379')))[0]?.evidence,
    ).toMatch(/let in: [^;]*2380\/tcp/);
  });

  test('ufw is opened by prepare; with mode leave its rules count like others', () => {
    const rows = [
      ['tool', 'ufw'],
      ...iptables(
        ':INPUT DROP [0:0]',
        ':ufw-user-input - [0:0]',
        '-A INPUT -j ufw-user-input',
        '-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT',
      ),
    ];
    const leave = { phases: { prepare: { firewall: { mode: 'leave' } } } };
    expect(problems(rows)).toEqual([]);
    expect(problems(rows, leave)[0]?.message).toContain('chain INPUT, policy drop');
    expect(
      problems([...rows, ...iptables(...OPEN.map((rule) => rule.replace('INPUT', 'ufw-user-input')))], leave),
    ).toEqual([]);
  });
});

describe('nftables', () => {
  const chain = (name: string, hook: string, policy: string) => ({
    chain: { family: 'inet', table: 'filter', name, hook, policy, type: 'filter', prio: 0 },
  });
  const match = (protocol: string, field: string, right: unknown, op = '==') => ({
    match: { op, left: { payload: { protocol, field } }, right },
  });
  const rule = (...expr: object[]) => ({ rule: { family: 'inet', table: 'filter', chain: 'input', handle: 1, expr } });
  const ACCEPT = { accept: null };
  const nft = (...objects: object[]) => {
    const text = JSON.stringify({ nftables: [{ metainfo: { version: '1' } }, ...objects] });
    // The probe cuts it into pieces.
    return (text.match(/.{1,100}/gs) ?? []).map((piece) => ['nft', 'inet filter', piece]);
  };
  const closed = chain('input', 'input', 'drop');
  const cluster = { prefix: { addr: '10.20.0.0', len: 24 } };

  test('a policy that drops is named with table, chain and commands', () => {
    const found = problems(nft(closed, rule(match('tcp', 'dport', { set: [22, 80] }), ACCEPT)));
    expect(found).toEqual([
      expect.objectContaining({
        code: 'FIREWALL_BLOCKS',
        message: expect.stringContaining('table inet filter, chain input, policy drop') as string,
      }),
    ]);
    expect(found[0]?.evidence).toContain(
      'nft insert rule inet filter input ip saddr { 10.20.0.12, 10.20.0.13, 10.244.0.0/16 } tcp dport { 6443, 10250 } accept',
    );
  });

  test.each([
    [
      'the network of the hosts and of the pods',
      [closed, rule(match('ip', 'saddr', { set: [cluster, { prefix: { addr: '10.244.0.0', len: 16 } }] }), ACCEPT)],
    ],
    [
      'a named set',
      [
        closed,
        {
          set: {
            name: 'nodes',
            elem: ['10.20.0.12', { range: ['10.20.0.13', '10.20.0.20'] }, { prefix: { addr: '10.244.0.0', len: 16 } }],
          },
        },
        rule(match('ip', 'saddr', '@nodes'), ACCEPT),
      ],
    ],
    [
      'a map of ports and verdicts',
      [
        closed,
        rule({
          vmap: {
            key: { payload: { protocol: 'th', field: 'dport' } },
            data: { set: [[{ range: [1, 65535] }, ACCEPT]] },
          },
        }),
      ],
    ],
    [
      'a jump',
      [
        closed,
        { chain: { family: 'inet', table: 'filter', name: 'more' } },
        rule({ counter: null }, { jump: { target: 'more' } }),
        { rule: { chain: 'more', expr: [ACCEPT] } },
      ],
    ],
    ['all but one address', [closed, rule(match('ip', 'saddr', '203.0.113.5', '!='), ACCEPT)]],
    [
      'an unknown interface',
      [closed, rule({ match: { op: '==', left: { meta: { key: 'iifname' } }, right: 'eth1' } }, ACCEPT)],
    ],
    [
      'a chain of another family',
      [{ chain: { family: 'inet', table: 'filter', name: 'out', hook: 'output', policy: 'drop' } }],
    ],
    ['a policy that accepts', [chain('input', 'input', 'accept')]],
  ])('no problem: %s', (_what, objects) => expect(problems(nft(...objects))).toEqual([]));

  test.each([
    [
      'established connections alone',
      rule({ match: { op: 'in', left: { ct: { key: 'state' } }, right: ['established', 'related'] } }, ACCEPT),
    ],
    ['loopback alone', rule({ match: { op: '==', left: { meta: { key: 'iif' } }, right: 'lo' } }, ACCEPT)],
    [
      'states by a map',
      rule({
        vmap: {
          key: { ct: { key: 'state' } },
          data: {
            set: [
              ['established', ACCEPT],
              ['invalid', { drop: null }],
            ],
          },
        },
      }),
    ],
    ['IPv6 alone', rule(match('ip6', 'saddr', 'fe80::/10'), ACCEPT)],
    ['a final reject', rule({ reject: { type: 'icmpx' } })],
  ])('a chain that lets in %s is named', (_what, object) => {
    expect(problems(nft(closed, object))[0]?.code).toBe('FIREWALL_BLOCKS');
  });

  test('what nft did not print as JSON is passed over', () =>
    expect(problems([['nft', 'inet filter', '{"nftables": [']])).toEqual([]));
});
