import { digestOfParts } from './digest.ts';
import { type FirewallNeeds, PORTLESS_PROTOCOLS, portlessSources, portsBySource } from './firewall-needs.ts';
import { FIREWALLD_ZONE, zoneTrace } from './firewalld-zone.ts';
import { entryKey } from './ledger.ts';
import { LEDGER } from './paths.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';

export interface FirewalldRulesResource extends Resource {
  readonly kind: 'firewalld-rules';
  /** The host's address: its interface's zone gets the rules. */
  readonly address: string;
  /** `10.0.0.2 6443/tcp`: who may reach which port; `10.0.0.2 vrrp`: who may send packets of that protocol. */
  readonly ports: readonly string[];
  /** Sources of the zone `trusted`: pods, whose packets are also passed on from there. */
  readonly trusted: readonly string[];
}

interface FirewalldState {
  /** The zone of the host's interface; null: firewalld does not run. */
  zone: string | null;
  /** Rich rules as firewalld prints them, and sources of `trusted` as `trusted SOURCE`: in force, and kept for good. */
  now: ReadonlySet<string>;
  kept: ReadonlySet<string>;
  /** Ids of the host's ledger: what we added. */
  ours: readonly string[];
}

const KIND = 'firewalld-rules';
/** `public/10.0.0.2 6443/tcp`, `public/10.0.0.2 vrrp`, `trusted/10.244.0.0/16`: what one entry of the ledger is about. */
const ID = new RegExp(
  `^([A-Za-z0-9_-]{1,40})/([0-9./]{7,18})(?: (?:(\\d{1,5})/(tcp|udp)|(${Object.keys(PORTLESS_PROTOCOLS).join('|')})))?$`,
);
const TRUSTED = 'trusted';
/** One call of firewall-cmd takes 0.3 s, and longer with many rules. */
const CALL_MS = 30_000;

const richRule = (source: string, port: string, protocol: string): string =>
  `rule family="ipv4" source address="${source}" port port="${port}" protocol="${protocol}" accept`;
/** Protocol 4 is `ipencap` in Debian's /etc/protocols and `ipv4` in that of RHEL: firewalld takes and prints the number on both. */
const protocolRule = (source: string, protocol: string): string =>
  `rule family="ipv4" source address="${source}" protocol value="${protocol === 'ipencap' ? PORTLESS_PROTOCOLS.ipencap : protocol}" accept`;

/**
 * Rules of firewalld for what a host must let in and pass on, in force and for good; nothing where firewalld does not run.
 * NodePorts need none: firewalld passes on what was sent to a service.
 */
export function firewalldRules({ openings, passages }: FirewallNeeds, address: string): FirewalldRulesResource {
  return {
    kind: KIND,
    id: 'firewalld',
    address,
    ports: [
      ...portsBySource(openings).flatMap(({ source, protocol, ports }) =>
        ports.map((port) => `${source} ${port}/${protocol}`),
      ),
      ...portlessSources(openings).map(({ source, protocol }) => `${source} ${protocol}`),
    ],
    trusted: passages.flatMap(({ from, inside }) => (inside ? [from] : [])),
  };
}

/** The words of firewall-cmd for an id, without `--add-` or `--remove-`. */
function wordsOf(id: string): { zone: string; kind: 'rich-rule' | 'source'; value: string; line: string } | null {
  const [, zone, source, port, protocol, portless] = ID.exec(id) ?? [];
  if (zone === undefined || source === undefined) return null;
  if (portless !== undefined) {
    const rule = protocolRule(source, portless);
    return { zone, kind: 'rich-rule', value: rule, line: rule };
  }
  if (port === undefined) return { zone, kind: 'source', value: source, line: `${TRUSTED} ${source}` };
  const rule = richRule(source, port, protocol ?? '');
  return { zone, kind: 'rich-rule', value: rule, line: rule };
}

function changesOf(resource: FirewalldRulesResource, { zone, now, kept, ours }: FirewalldState) {
  if (zone === null) return { missing: [], stale: [] };
  const wanted = [
    ...resource.ports.map((port) => `${zone}/${port}`),
    ...resource.trusted.map((source) => `${TRUSTED}/${source}`),
  ];
  const there = (id: string, all: boolean) => {
    const line = wordsOf(id)?.line ?? '';
    return all ? now.has(line) && kept.has(line) : now.has(line) || kept.has(line);
  };
  return {
    missing: wanted.filter((id) => !there(id, true)),
    stale: ours.filter((id) => !wanted.includes(id) && there(id, false)),
  };
}

/** Calls of firewall-cmd that add or remove the ids, for good and at once, one pair per zone. */
function calls(
  ids: readonly string[],
  verb: 'add' | 'remove',
  quote: (word: string) => string,
  program = 'firewall-cmd --quiet',
): string[] {
  const zones = new Map<string, string[]>();
  for (const id of ids) {
    const words = wordsOf(id);
    if (!words) continue;
    zones.set(words.zone, [...(zones.get(words.zone) ?? []), quote(`--${verb}-${words.kind}=${words.value}`)]);
  }
  return [...zones].flatMap(([zone, words]) =>
    // What is there already, or not any more, is a warning and no failure.
    ['--permanent ', ''].map((mode) => `${program} ${mode}--zone=${quote(zone)} ${words.join(' ')}`),
  );
}

/** sh function `kw_firewall` with the words of firewall-cmd: of a firewalld that was stopped since, the files are changed. */
const STOPPED_TOO = `kw_says=$(firewall-cmd --state 2>&1)
kw_state=$?
case $kw_state in 0 | 252) ;; *) echo "firewalld does not answer: $kw_says" >&2; exit 1 ;; esac
kw_firewall() {
  if [ "$kw_state" = 0 ]; then firewall-cmd --quiet "$@"
  elif [ "$1" = --permanent ]; then shift; firewall-offline-cmd "$@" >/dev/null
  fi
}`;

export default defineKind<FirewalldRulesResource, FirewalldState>({
  kind: KIND,
  // 252: firewalld does not run. Any other failure of firewall-cmd is no answer (D-Bus, a firewalld that is starting).
  probe: ({ address }, quote) => `echo looked
if command -v firewall-cmd >/dev/null && { kw_says=$(firewall-cmd --state 2>&1) || [ $? != 252 ]; }; then
  kw_link=$(ip -o -4 addr show | sed -n ${quote(`s|^[0-9]*: *\\([^ ]*\\) *inet ${address.replaceAll('.', '[.]')}/.*|\\1|p`)} | head -n 1)
  kw_zone=$(firewall-cmd --get-zone-of-interface="$kw_link" 2>/dev/null) ||
    kw_zone=$(firewall-cmd --get-default-zone 2>&1) || kw_unknown "firewalld: $kw_zone"
  kw_list() { kw_of=$(firewall-cmd "$@" 2>&1) || kw_of="failed: $kw_of"; }
  kw_says=$(
    { kw_list --zone="$kw_zone" --list-rich-rules; printf '%s\\n' "$kw_of" | sed -u 's/^/now /'; } &
    { kw_list --permanent --zone="$kw_zone" --list-rich-rules; printf '%s\\n' "$kw_of" | sed -u 's/^/kept /'; } &
    { kw_list --zone=${TRUSTED} --list-sources; printf '%s\\n' $kw_of | sed -u 's/^/now ${TRUSTED} /'; } &
    { kw_list --permanent --zone=${TRUSTED} --list-sources; printf '%s\\n' $kw_of | sed -u 's/^/kept ${TRUSTED} /'; } &
    wait
  )
  case $kw_says in *' failed:'*) kw_unknown "firewalld: $kw_says" ;; esac
  printf 'zone %s\\n%s\\n' "$kw_zone" "$kw_says"
  cut -f 1 ${LEDGER} 2>/dev/null | sed -n 's/^${KIND}:/ours /p'
fi`,
  parse(output) {
    const lines = output.split('\n');
    const of = (word: string) =>
      lines
        .filter((line) => line.startsWith(`${word} `))
        .map((line) => line.slice(word.length + 1).trim())
        .filter((rest) => rest !== '');
    return {
      zone: of('zone')[0] ?? null,
      now: new Set(of('now')),
      kept: new Set(of('kept')),
      ours: of('ours').filter((id) => ID.test(id)),
    };
  },
  diff(resource, state) {
    const { missing, stale } = changesOf(resource, state);
    if (missing.length + stale.length === 0) return [];
    const detail = [...missing, ...stale.map((id) => `no longer: ${id}`)].join('; ');
    return [{ resource: resourceKey(resource), action: 'update', detail: detail.slice(0, 1000) }];
  },
  fragment(resource, state, { quote }) {
    const { missing, stale } = changesOf(resource, state);
    const script = [...calls(missing, 'add', quote), ...calls(stale, 'remove', quote)];
    return { script: script.join('\n'), timeoutMs: 10_000 + CALL_MS * script.length };
  },
  ledgerEntries(resource, observed) {
    if (!observed) return [];
    // Of what was there before us, nothing is ours.
    const added = changesOf(resource, observed).missing.filter((id) => !observed.kept.has(wordsOf(id)?.line ?? ''));
    const zoneOf = (id: string) => id.slice(0, id.indexOf('/'));
    // The file of a zone that has rules of ours is not as it was before us.
    const changed = new Set(observed.ours.map(zoneOf));
    const zones = [...new Set(added.map(zoneOf))].filter((zone) => !changed.has(zone));
    return [...zones.map(zoneTrace), ...added.map((id) => ({ id, prior: {} }))];
  },
  // It takes back by itself what it no longer lists.
  owns: (_resource, { kind }) => kind === KIND || kind === FIREWALLD_ZONE,
  undo: (entries, { quote }) => {
    const ids = entries.map(({ id }) => id).filter((id) => ID.test(id));
    return [
      {
        key: entryKey({ kind: KIND, id: 'firewalld' }),
        script: [
          'command -v firewall-cmd >/dev/null || exit 0',
          STOPPED_TOO,
          ...calls(ids, 'remove', quote, 'kw_firewall').map((line) => `${line} || exit 1`),
          ...ids.map((id) => `kw_tell removed ${quote(id)}`),
        ].join('\n'),
      },
    ];
  },
  digest: ({ ports, trusted }) => digestOfParts([...ports, '', ...trusted]),
});
