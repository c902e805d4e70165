import { internalAddress } from '../../../../contracts/cluster.ts';
import { cidrAddress } from '../../../../contracts/primitives.ts';
import { firewallNeeds } from '../../firewall.ts';
import { preparedWith } from '../../prepare/public.ts';
import { type CheckHost, defineCheck } from '../check.ts';
import { iptablesChains } from '../firewall/iptables.ts';
import { type Chain, outcomeOf, type Packet } from '../firewall/model.ts';
import { nftChains } from '../firewall/nftables.ts';

/** One packet that the cluster needs, its source as the spec has it, and in words what for. */
interface Wanted {
  packet: Packet;
  source: string;
  what: string;
}
type Lost = Wanted & { by: string | null };

/** Sources of one opening that are tried; what blocks one host of many blocks its like. */
const MAX_SOURCES = 50;
/** Any address of the world (RFC 5737). */
const WORLD = '192.0.2.1';

/** Sources in a text at most. */
const MAX_SHOWN = 12;

const unique = <T>(list: readonly T[]): T[] => [...new Set(list)];
const one = (range: string): string => (range.includes('/') ? cidrAddress(range, 10) : range);

/** Chains of Calico, which the check `leftovers` names. */
const FOREIGN_CHAINS = ['cali-'];

function wantedOf({ cluster, host, requirements }: CheckHost): Wanted[] {
  const { firewall } = preparedWith(cluster, host);
  const { openings, passages } = firewallNeeds(cluster, host, requirements, firewall);
  const destination = internalAddress(host);
  const asks = openings.flatMap(({ protocol, port, what, sources }) =>
    sources.slice(0, MAX_SOURCES).map((source) => ({
      packet: { hook: 'input' as const, source: one(source), destination, protocol, port },
      source,
      what: port === null ? `${protocol} (${what})` : `${port}/${protocol} (${what})`,
    })),
  );
  const passes = passages.slice(0, MAX_SOURCES).flatMap(({ from, to }) =>
    (to === null ? [cluster.spec.network.podCidr, WORLD] : [to]).map((range) => ({
      packet: {
        hook: 'forward' as const,
        source: one(from),
        destination: one(range),
        protocol: 'tcp' as const,
        port: 443,
      },
      source: from,
      what: `packets from ${from} to ${range === WORLD ? 'the world' : range}`,
    })),
  );
  return [...asks, ...passes];
}

export default defineCheck({
  name: 'firewall',
  about: 'network',
  title: 'Firewalls',
  inspects:
    'Rules and policies of iptables and nftables at the hooks input and forward, on every host: none of them drops packets that the phases of the host ([phases.md](phases.md)) need from other hosts and pods. The phase `prepare` opens ufw and firewalld, unless `spec.phases.prepare.firewall.mode` is `leave`; then their rules are checked too.',
  codes: ['FIREWALL_BLOCKS'],
  probe: {
    // Single writes per line: sed -u. JSON of nft is one line, longer than a pipe takes at once.
    script: `
set -f
tab=$(printf '\\t')
ours=$1 tables=$2
if grep -qsx 'ENABLED=yes' /etc/ufw/ufw.conf && command -v ufw >/dev/null; then say tool ufw; fi
systemctl is-active --quiet firewalld 2>/dev/null && say tool firewalld
filter=
if command -v iptables-save >/dev/null; then
  case $(iptables -V 2>/dev/null) in
    *nf_tables*) filter=$(iptables-save -t filter 2>/dev/null) ;;
  esac
fi
if grep -qsx filter /proc/net/ip_tables_names; then
  for each in iptables-legacy-save iptables-save; do
    command -v $each >/dev/null || continue
    filter="$filter
$($each -t filter 2>/dev/null)"
    break
  done
fi
case $filter in
  *:INPUT*)
    printf '%s\\n' "$filter" | grep -E '^(:|-A )' | grep -vE "^(:|-A )($ours)" | cut -c 1-1000 |
      head -n 1000 | sed -u "s/^/$check\${tab}iptables$tab/" ;;
  *) filter= ;;
esac
command -v nft >/dev/null || return 0
nft list tables 2>/dev/null | head -n 40 | while read -r _ family table _; do
  for own in $tables; do
    case $table in $own) continue 2 ;; esac
  done
  case "$family $table" in
    'ip nat' | 'ip mangle' | 'ip raw' | 'ip security') continue ;;
    'ip filter') [ -z "$filter" ] || continue ;;
    'ip '* | 'inet '*) ;;
    *) continue ;;
  esac
  nft -j list table "$family" "$table" 2>/dev/null | head -c 400000 | fold -b -w 3000 |
    sed -u "s/^/$check\${tab}nft$tab$family $table$tab/"
done`,
    args: ({ requirements }) => {
      const own = requirements.flatMap(({ ownRules }) => (ownRules ? [ownRules] : []));
      const chains = [...FOREIGN_CHAINS, ...own.flatMap((each) => each.chains ?? [])];
      return [chains.join('|'), own.flatMap(({ tables = [] }) => tables).join(' ')];
    },
  },
  evaluate(of, rows) {
    const opens = preparedWith(of.cluster, of.host).firewall.mode === 'open';
    const tools = rows.flatMap(([word, tool = '']) => (word === 'tool' ? [tool] : []));
    const managed = (tool: string) => opens && tools.includes(tool);
    const tables: ReadonlyMap<string, Chain>[] = [];
    const lines = rows.flatMap(([word, line = '']) => (word === 'iptables' ? [line] : []));
    if (!managed('ufw') && !managed('firewalld')) tables.push(iptablesChains(lines));
    const texts = new Map<string, string>();
    for (const [word, table = '', text = ''] of rows) {
      if (word === 'nft') texts.set(table, (texts.get(table) ?? '') + text);
    }
    for (const [table, text] of texts) {
      if (managed('firewalld') && table.endsWith(' firewalld')) continue;
      const chains = nftChains(text);
      if (chains) tables.push(chains);
    }
    const wanted = wantedOf(of);
    const accepts = of.requirements.some(({ ownRules }) => ownRules?.acceptsForwarded);
    return tables.flatMap((chains) =>
      [...chains.values()].flatMap((chain) => {
        const lost = wanted.flatMap((each): Lost[] => {
          const { packet } = each;
          if (packet.hook !== chain.hook) return [];
          const outcome = outcomeOf(chain, chains, packet);
          // The policy comes after the last rule, and that is one of the pod network's.
          const accepted = accepts && chain.table === 'ip filter' && chain.name === 'FORWARD' && outcome.by === null;
          return outcome.end === 'drop' && !accepted ? [{ ...each, by: outcome.by }] : [];
        });
        const [first] = lost;
        if (!first) return [];
        const by = first.by === null ? `policy ${chain.policy}` : `rule ${first.by}`;
        const froms = unique(lost.map(({ source }) => source));
        const more = froms.length > MAX_SHOWN ? ` and ${froms.length - MAX_SHOWN} more` : '';
        const doing = chain.hook === 'input' ? 'let in' : 'passed on';
        return [
          {
            code: 'FIREWALL_BLOCKS' as const,
            message: `a firewall drops what the cluster needs: table ${chain.table}, chain ${chain.name}, ${by}`,
            evidence: `table ${chain.table}, chain ${chain.name} (hook ${chain.hook ?? ''}), ${by}; to be ${doing}: ${unique(lost.map(({ what }) => what)).join(', ')}; from ${froms.slice(0, MAX_SHOWN).join(', ')}${more}. For example: ${example(chain, lost)}`,
          },
        ];
      }),
    );
  },
});

/** Commands that would let it through, as words for a person: ports that the same sources ask for together. */
function example(chain: Chain, lost: readonly Lost[]): string {
  const { table, name } = chain;
  const legacy = table === 'ip filter' && name === name.toUpperCase();
  const list = (sources: readonly string[]) => {
    const shown = sources.slice(0, MAX_SHOWN);
    return legacy ? shown.join(',') : `{ ${shown.join(', ')} }`;
  };
  if (chain.hook === 'forward') {
    const from = list(unique(lost.map(({ source }) => source)));
    return legacy
      ? `iptables -I ${name} -s ${from} -j ACCEPT; iptables -I ${name} -d ${from} -j ACCEPT`
      : `nft insert rule ${table} ${name} ip saddr ${from} accept; nft insert rule ${table} ${name} ip daddr ${from} accept`;
  }
  const asks = new Map<string, { protocol: string; port: number | null; sources: string[] }>();
  for (const { packet, source } of lost) {
    const key = `${packet.protocol} ${packet.port}`;
    const ask = asks.get(key) ?? { protocol: packet.protocol, port: packet.port, sources: [] };
    ask.sources.push(source);
    asks.set(key, ask);
  }
  const groups = new Map<string, number[]>();
  const portless: string[] = [];
  for (const { protocol, port, sources } of asks.values()) {
    if (port === null) {
      portless.push(
        legacy
          ? `iptables -I ${name} -s ${list(sources)} -p ${protocol} -j ACCEPT`
          : `nft insert rule ${table} ${name} ip saddr ${list(sources)} ip protocol ${protocol} accept`,
      );
      continue;
    }
    const key = legacy
      ? `iptables -I ${name} -s ${list(sources)} -p ${protocol} -m multiport --dports `
      : `nft insert rule ${table} ${name} ip saddr ${list(sources)} ${protocol} dport `;
    groups.set(key, [...(groups.get(key) ?? []), port]);
  }
  return [
    ...[...groups].map(([words, ports]) =>
      legacy ? `${words}${ports.join(',')} -j ACCEPT` : `${words}{ ${ports.join(', ')} } accept`,
    ),
    ...portless,
  ].join('; ');
}
