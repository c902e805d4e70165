import { DROP_CHAINS } from '../../kube/packet-filter.ts';

/**
 * sh, after DROP_CHAINS: Felix's chains, rules that lead to them, and its rules in chains of others, which it marks by a comment.
 */
export const DROP_RULES = `kw_restore_without '
  /^\\*/ { table = $0; chains = rules = gone = "" }
  /^:cali-/ { name = substr($1, 2); chains = chains ":" name " - [0:0]\\n"; gone = gone "-X " name "\\n" }
  /^-A/ && $2 !~ /^cali-/ && /(-[jg] cali-|--comment "?cali:)/ { rules = rules "-D" substr($0, 3) "\\n" }
  /^COMMIT/ && chains rules != "" { printf "%s\\n%s%s%sCOMMIT\\n", table, chains, rules, gone }' || exit 1`;

/**
 * Calico's links, routes, rules and sets of a node. Kubelet and runtime have stopped, and their containers still run: first
 * Felix and BIRD end, for they would make all of it again. Argument: the range of the pods.
 */
export const CALICO_TEARDOWN = `${DROP_CHAINS}
# What runs in the container of calico-node: processes of pods alone, with programs of these names.
kw_calico() {
  for kw_p in /proc/[0-9]*; do
    case $(readlink "$kw_p/exe") in */calico-node | */calico-typha | */bird | */bird6 | */runsvdir | */runsv) ;; *) continue ;; esac
    if grep -q kubepods "$kw_p/cgroup" 2>/dev/null; then echo "\${kw_p#/proc/}"; fi
  done
}
kw_tries=0
while kw_pids=$(kw_calico) && [ -n "$kw_pids" ]; do
  kill -KILL $kw_pids 2>/dev/null
  kw_tries=$((kw_tries + 1))
  [ "$kw_tries" -lt 100 ] || { echo "processes of Calico do not end: $kw_pids" >&2; exit 1; }
  sleep 0.1
done
${DROP_RULES}
ipset list -n 2>/dev/null | grep '^cali[46]0' | while read -r kw_set; do
  KW_KEY=rules:ipset
  ipset destroy "$kw_set" && kw_tell removed "ipset $kw_set" || exit 1
done || exit 1
for kw_link in /sys/class/net/*; do
  kw_link=\${kw_link##*/}
  case $kw_link in cali[0-9a-f]* | vxlan.calico | vxlan-v6.calico | wireguard.cali) ;; *) continue ;; esac
  KW_KEY=link:$kw_link
  ip link delete "$kw_link" 2>/dev/null || [ ! -e "/sys/class/net/$kw_link" ] || exit 1
  kw_tell removed 'a link of Calico'
done
# The module ipip has this link for good: only what is in it is Calico's.
if [ -e /sys/class/net/tunl0 ] && [ -n "$(ip -o address show dev tunl0)" ]; then
  KW_KEY=link:tunl0
  ip address flush dev tunl0 && ip link set tunl0 down && kw_tell removed 'its addresses' || exit 1
fi
ip route show root "$1" 2>/dev/null | while read -r kw_a kw_b kw_rest; do
  case "$kw_a $kw_b $kw_rest" in blackhole*) kw_to=$kw_b ;; *'proto bird'* | *'proto 80'*) kw_to=$kw_a ;; *) continue ;; esac
  KW_KEY=route:$kw_to
  case $kw_a in blackhole) ip route delete blackhole "$kw_to" ;; *) ip route delete "$kw_to" ;; esac && kw_tell removed 'a route of Calico' || exit 1
done || exit 1
`;
