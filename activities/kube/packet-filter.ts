import { baseline } from '../resources/baseline.ts';
import type { Resource } from '../resources/resource.ts';

/** Settings that kubelet and kube-proxy change by themselves, where the kernel lets them. */
const DAEMONS_SYSCTLS = [
  'kernel/keys/root_maxbytes',
  'kernel/keys/root_maxkeys',
  'kernel/panic',
  'kernel/panic_on_oops',
  'net/ipv4/conf/all/route_localnet',
  'net/netfilter/nf_conntrack_max',
  'net/netfilter/nf_conntrack_tcp_timeout_close_wait',
  'net/netfilter/nf_conntrack_tcp_timeout_established',
  'vm/overcommit_memory',
];

export const PACKET_FILTER_BASELINE = 'packet-filter';

/** No nft, or a kernel without nf_tables: there are none. Any other failure is no answer. */
const TABLES = `if command -v nft >/dev/null; then
  kw_says=$(nft list tables 2>&1) || case $kw_says in *'not supported'*) kw_says= ;; *) kw_unknown "nft: $kw_says" ;; esac
  printf '%s\\n' "$kw_says"
fi`;

/** The tables of the packet filter and the kernel settings from before the first kubelet: a teardown compares with it. */
export const packetFilterBaseline = (): Resource =>
  baseline(
    PACKET_FILTER_BASELINE,
    `${TABLES}
for kw_s in ${DAEMONS_SYSCTLS.join(' ')}; do
  [ ! -r "/proc/sys/$kw_s" ] || printf 'sysctl %s %s\\n' "$kw_s" "$(cat "/proc/sys/$kw_s")"
done`,
  );

/**
 * sh functions for a teardown (see `undoFunctions`).
 * - `kw_drop_chains <regex>`: iptables chains of such names and every rule that leads to them; nothing else is touched.
 *   iptables-restore takes each family in one move, and reads the rules as iptables-save wrote them: no shell does.
 * - `kw_drop_portmap <network>`: what the CNI plugin portmap left of the pods of a network that did not end orderly.
 * - `kw_drop_empty_tables <seen>`: iptables' own tables, where they hold no rule and were not among those seen before.
 */
export const DROP_CHAINS = `kw_restore_without() {
  for kw_c in iptables ip6tables; do
    command -v "$kw_c-save" >/dev/null 2>&1 || continue
    kw_rules=$("$kw_c-save" 2>/dev/null | awk "$@") || return 1
    [ -n "$kw_rules" ] || continue
    kw_names=$(printf '%s\\n' "$kw_rules" | sed -n 's/^-X //p' | sort -u | tr '\\n' ' ')
    printf '%s\\n' "$kw_rules" | "$kw_c-restore" --noflush || return 1
    KW_KEY=rules:$kw_c
    kw_tell removed "chains $kw_names"
  done
}
kw_drop_chains() {
  kw_restore_without -v "ours=$1" '
    /^\\*/ { table = $0; chains = rules = gone = "" }
    /^:/ { name = substr($1, 2); if (name ~ ours) { chains = chains ":" name " - [0:0]\\n"; gone = gone "-X " name "\\n" } }
    /^-A/ && $2 !~ ours {
      for (i = 3; i < NF; i++) if (($i == "-j" || $i == "-g") && $(i + 1) ~ ours) { rules = rules "-D" substr($0, 3) "\\n"; break }
    }
    /^COMMIT/ && chains != "" { printf "%s\\n%s%s%sCOMMIT\\n", table, chains, rules, gone }'
}
kw_drop_portmap() {
  # Chains of single pods whose rule names the network, then the shared ones if no pod of another network is left.
  kw_pods=$(for kw_c in iptables ip6tables; do
    command -v "$kw_c-save" >/dev/null 2>&1 && "$kw_c-save" -t nat 2>/dev/null
  done | sed -n "s/^-A CNI-HOSTPORT-DNAT .*name: [\\\\]*\\"$1[\\\\]*\\" .*-j \\(CNI-DN-[0-9a-f]*\\).*/\\1/p" | sort -u | tr '\\n' '|')
  [ -z "$kw_pods" ] || kw_drop_chains "^(\${kw_pods%|})\\$"
  for kw_c in iptables ip6tables; do
    if command -v "$kw_c-save" >/dev/null 2>&1 && "$kw_c-save" -t nat 2>/dev/null | grep -q '^:CNI-DN-'; then return 0; fi
  done
  kw_drop_chains '^CNI-HOSTPORT-'
}
kw_drop_empty_tables() {
  command -v nft >/dev/null 2>&1 || return 0
  nft list tables 2>/dev/null | while read -r _ kw_family kw_table; do
    case "$kw_family $kw_table" in
      'ip filter'|'ip nat'|'ip mangle'|'ip raw'|'ip security') ;;
      'ip6 filter'|'ip6 nat'|'ip6 mangle'|'ip6 raw'|'ip6 security') ;;
      *) continue ;;
    esac
    printf '%s\\n' "$1" | grep -qxF "table $kw_family $kw_table" && continue
    # Chains that only say "accept" do what no chain does.
    nft -s list table "$kw_family" "$kw_table" | grep -Evq '^(table .*[{]|[[:space:]]*chain (INPUT|OUTPUT|FORWARD|PREROUTING|POSTROUTING) [{]|[[:space:]]*type .* policy accept;|[[:space:]]*[}]|[[:space:]]*)$' && continue
    KW_KEY=rules:nft
    nft delete table "$kw_family" "$kw_table" && kw_tell removed "the empty table $kw_family $kw_table"
  done
}`;
