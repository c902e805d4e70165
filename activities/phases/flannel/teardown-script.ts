import { DROP_CHAINS } from '../../kube/packet-filter.ts';
import { ALL_LINKS } from './backends.ts';

/** The pod network's links, routes and rules. Argument: the range of the pods. */
export const FLANNEL_TEARDOWN = `${DROP_CHAINS}
for kw_port in $(ip -o link show master cni0 type veth 2>/dev/null | sed 's/^[0-9]*: \\([^@:]*\\).*/\\1/'); do
  KW_KEY=link:$kw_port
  ip link delete "$kw_port" 2>/dev/null && kw_tell removed 'the link of a pod'
done
for kw_link in cni0 ${ALL_LINKS.join(' ')}; do
  [ -e "/sys/class/net/$kw_link" ] || continue
  KW_KEY=link:$kw_link
  ip link delete "$kw_link" && kw_tell removed "$kw_link" || exit 1
done
# host-gw: a route per node, through the network of the hosts.
ip route show root "$1" 2>/dev/null | while read -r kw_to kw_word kw_via _; do
  [ "$kw_word" = via ] || continue
  KW_KEY=route:$kw_to
  ip route delete "$kw_to" via "$kw_via" && kw_tell removed "through $kw_via" || exit 1
done || exit 1
kw_drop_chains '^FLANNEL-'
for kw_table in $(nft list tables 2>/dev/null | sed -n 's/^table \\(ip6\\{0,1\\}\\) \\(flannel-ipv[46]\\)$/\\1+\\2/p'); do
  KW_KEY=rules:flannel
  nft delete table "\${kw_table%+*}" "\${kw_table#*+}" && kw_tell removed "nft table \${kw_table#*+}" || exit 1
done
`;
