import { digestOfParts } from './digest.ts';
import { type FirewallNeeds, type PortlessProtocol, portlessSources, portsBySource } from './firewall-needs.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';

export interface UfwRulesResource extends Resource {
  readonly kind: 'ufw-rules';
  /** Rules in ufw's own words, as `ufw show added` prints them, without `ufw` and comment. */
  readonly rules: readonly { rule: string; comment: string }[];
}

interface UfwState {
  active: boolean;
  /** Rules that are there, and whether the comment is ours. */
  rules: { rule: string; ours: boolean }[];
}

/** Every rule of ours carries it: what has it is ours, and nothing else is touched. */
const MARK = 'kubewright';
/** ufw takes this many ports in one rule. */
const PORTS_OF_A_RULE = 15;
/** A rule takes ufw 0.3 s. */
const RULE_MS = 2_000;

/**
 * Rules of ufw for what a host must let in and pass on; nothing where ufw is not on. They come before others, so a
 * `deny` for the same port does not win over them.
 */
export function ufwRules({ openings, passages }: FirewallNeeds): UfwRulesResource {
  const ports = portsBySource(openings).flatMap(({ source, protocol, ports, what }) => {
    const parts = Math.ceil(ports.length / PORTS_OF_A_RULE);
    return Array.from({ length: parts }, (_, part) => {
      const list = ports.slice(part * PORTS_OF_A_RULE, (part + 1) * PORTS_OF_A_RULE).join(',');
      const rule =
        source === ANY_SOURCE
          ? `allow ${list}/${protocol}`
          : `allow from ${ufwAddress(source)} to any port ${list} proto ${protocol}`;
      return { rule, comment: `${MARK}: ${what}` };
    });
  });
  const known = portlessSources(openings).filter(({ protocol }) => UFW_PORTLESS.includes(protocol));
  const protocols = known.map(({ source, protocol, what }) => ({
    rule: `allow from ${ufwAddress(source)} proto ${protocol}`,
    comment: `${MARK}: ${what}`,
  }));
  const routes = passages.map(({ from, to }) => ({
    rule: `route allow${from === ANY_SOURCE ? '' : ` from ${ufwAddress(from)}`}${to === null ? '' : ` to ${ufwAddress(to)}`}`,
    comment: `${MARK}: pods`,
  }));
  return { kind: 'ufw-rules', id: 'ufw', rules: [...ports, ...protocols, ...routes] };
}

/**
 * Of these ufw has rules (ufw/util.py). It has none of ipencap: Felix, whose packets they are, accepts them from the nodes in its own
 * chain, which comes before those of ufw.
 */
const UFW_PORTLESS: readonly string[] = ['gre', 'vrrp'] satisfies PortlessProtocol[];
const ANY_SOURCE = '0.0.0.0/0';
const ufwAddress = (source: string): string => source.replace(/\/32$/, '');

/** Only rules of the shapes that we make are ever deleted. */
const OUR_SHAPES = new RegExp(
  `^(allow [0-9,]+/(tcp|udp)|allow from [0-9./]+ to any port [0-9,]+ proto (tcp|udp)|allow from [0-9./]+ proto (${UFW_PORTLESS.join('|')})|route allow( from [0-9./]+)?( to [0-9./]+)?)$`,
);

const changesOf = (resource: UfwRulesResource, { active, rules }: UfwState) => {
  if (!active) return { missing: [], stale: [] };
  const there = new Set(rules.map(({ rule }) => rule));
  const wanted = new Set(resource.rules.map(({ rule }) => rule));
  return {
    missing: resource.rules.filter(({ rule }) => !there.has(rule)),
    stale: rules.filter(({ rule, ours }) => ours && !wanted.has(rule) && OUR_SHAPES.test(rule)).map(({ rule }) => rule),
  };
};

export default defineKind<UfwRulesResource, UfwState>({
  kind: 'ufw-rules',
  probe: () => `echo looked
if grep -qsx 'ENABLED=yes' /etc/ufw/ufw.conf && command -v ufw >/dev/null; then
  kw_says=$(ufw show added 2>&1) || kw_unknown "ufw show added: $kw_says"
  echo active
  printf '%s\\n' "$kw_says" | head -n 5000
fi`,
  parse(output) {
    const lines = output.split('\n');
    return {
      active: lines.includes('active'),
      rules: lines.flatMap((line) => {
        const [, rule, comment = ''] = /^ufw (.*?)(?: comment '(.*)')?$/.exec(line.trim()) ?? [];
        return rule === undefined ? [] : [{ rule, ours: comment === MARK || comment.startsWith(`${MARK}:`) }];
      }),
    };
  },
  diff(resource, state) {
    const { missing, stale } = changesOf(resource, state);
    if (missing.length + stale.length === 0) return [];
    const detail = [...missing.map(({ rule }) => rule), ...stale.map((rule) => `no longer: ${rule}`)].join('; ');
    return [{ resource: resourceKey(resource), action: 'update', detail: detail.slice(0, 1000) }];
  },
  fragment(resource, state, { quote }) {
    const { missing, stale } = changesOf(resource, state);
    const words = (rule: string, verb: string) =>
      rule.startsWith('route ') ? `route ${verb} ${rule.slice('route '.length)}` : `${verb} ${rule}`;
    return {
      timeoutMs: 10_000 + RULE_MS * (missing.length + stale.length),
      script: [
        // Each is put before all others: the last one of the list ends as the first.
        ...[...missing]
          .reverse()
          .map(({ rule, comment }) => `ufw ${words(rule, 'prepend')} comment ${quote(comment)} >/dev/null`),
        ...stale.map((rule) => `ufw ${words(rule, 'delete')} >/dev/null`),
      ].join('\n'),
    };
  },
  ledgerEntries: () => [{ prior: {} }],
  undo: (entries) =>
    entries.slice(0, 1).map(({ kind, id }) => ({
      key: `${kind}:${id}`,
      script: `command -v ufw >/dev/null || exit 0
kw_says=$(ufw show added) || exit 1
printf '%s\\n' "$kw_says" | sed -n "s/^ufw \\(.*\\) comment '${MARK}\\(: [^']*\\)\\{0,1\\}'$/\\1/p" | while read -r kw_rule; do
  set -f
  case $kw_rule in
    route*) ufw route delete \${kw_rule#route } >/dev/null ;;
    *) ufw delete $kw_rule >/dev/null ;;
  esac || exit 1
  kw_tell removed "$kw_rule"
done`,
    })),
  digest: ({ rules }) => digestOfParts(rules.map(({ rule }) => rule)),
});
