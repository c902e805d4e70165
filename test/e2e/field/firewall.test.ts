import { beforeAll, expect, it } from 'vitest';
import { Field } from './field.ts';

const field = new Field();

beforeAll(() => field.install('cp-1', 'nftables', 'ufw'));

const SSH = 'ct state established,related accept; iif lo accept; tcp dport 22 accept';

it.each([
  [
    'a table of nftables that drops',
    `nft 'table inet theirs { chain in { type filter hook input priority 0; policy drop; ${SSH}; }; }'`,
    'nft delete table inet theirs',
    /table inet theirs, chain in \(hook input\), policy drop; to be let in: .*6443\/tcp \(kube-apiserver\).*nft insert rule inet theirs in /,
  ],
  [
    'a chain of iptables that ends with REJECT',
    `iptables -A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT; iptables -A INPUT -p tcp --dport 22 -j ACCEPT
     iptables -A INPUT -j REJECT --reject-with icmp-host-prohibited`,
    'iptables -F INPUT',
    /table ip filter, chain INPUT \(hook input\), rule -A INPUT -j REJECT .*iptables -I INPUT /,
  ],
])('%s is named with the ports, and commands that help', async (_what, prepare, undo, evidence) => {
  await field.prepared('cp-1', prepare, undo, async () => {
    // One host: the others of a cluster would go on, and wait for it.
    const { error } = await field.refused(field.spec('field-fw'));
    expect(error.code).toBe('FIREWALL_BLOCKS');
    expect(error.evidence).toMatch(evidence);
    const commands = /For example: (.*)$/.exec(error.evidence ?? '')?.[1] ?? '';
    await field.on('cp-1', commands);
    expect((await field.dryRun(field.spec('field-fw'))).errors).toEqual([]);
  });
});

it('ufw is opened as in the dry run; with mode leave it is reported instead', async () => {
  await field.prepared(
    'cp-1',
    'ufw allow 22/tcp >/dev/null; ufw --force enable >/dev/null',
    'ufw --force reset >/dev/null; rm -f /etc/ufw/*.rules.[0-9]*',
    async () => {
      const dry = await field.dryRun(field.spec('field-fw', { hosts: 2 }));
      expect(dry.errors).toEqual([]);
      const change = dry.hosts
        .flatMap(({ host, changes }) => (host === 'cp-1' ? changes : []))
        .find(({ resource }) => resource === 'ufw-rules:ufw');
      const [, worker = ''] = field.lab.hosts.map(({ address }) => address);
      expect(change?.detail).toMatch(new RegExp(`allow from ${worker} to any port [0-9,]*6443`));
      const leave = { prepare: { firewall: { mode: 'leave' } } };
      const { error } = await field.refused(field.spec('field-fw', { phases: leave }));
      expect(error.code).toBe('FIREWALL_BLOCKS');
      expect(error.message).toContain('table ip filter, chain INPUT');
    },
  );
});
