import { DROP_CHAINS } from '../../kube/packet-filter.ts';
import { MESH_STATE, POD_BRIDGE, TUNNEL_BRIDGE, UPLINK, UPLINK_BRIDGE } from './paths.ts';

/**
 * Bridges, tunnels, links and rules of ours. An Open vSwitch that was on the host before keeps its other bridges: only bridges
 * with our mark go. The pods' links first: they are ports of the bridge.
 */
export const MESH_TEARDOWN = `${DROP_CHAINS}
kw_drop_chains '^KW-OVS-'
for kw_port in $(ip -o link show master ${POD_BRIDGE} type veth 2>/dev/null | sed 's/^[0-9]*: \\([^@:]*\\).*/\\1/'); do
  KW_KEY=link:$kw_port
  ip link delete "$kw_port" 2>/dev/null && kw_tell removed 'the link of a pod'
done
if command -v ovs-vsctl >/dev/null && kw_bridges=$(ovs-vsctl --timeout=20 list-br 2>/dev/null); then
  for kw_bridge in ${TUNNEL_BRIDGE} ${UPLINK_BRIDGE}; do
    printf '%s\\n' "$kw_bridges" | grep -qx "$kw_bridge" || continue
    [ -n "$(ovs-vsctl --timeout=20 br-get-external-id "$kw_bridge" kubewright)" ] || continue
    KW_KEY=link:$kw_bridge
    ovs-vsctl --timeout=20 --if-exists del-br "$kw_bridge" && kw_tell removed "the bridge $kw_bridge of Open vSwitch" || exit 1
  done
fi
for kw_link in ${UPLINK} ${POD_BRIDGE}; do
  [ "$(cat "/sys/class/net/$kw_link/ifalias" 2>/dev/null)" = kubewright ] || continue
  KW_KEY=link:$kw_link
  ip link delete "$kw_link" && kw_tell removed "$kw_link" || exit 1
done
if read -r kw_link kw_was 2>/dev/null <${MESH_STATE}/arp-filter && [ -e "/proc/sys/net/ipv4/conf/$kw_link/arp_filter" ]; then
  KW_KEY=sysctls:net.ipv4.conf.$kw_link.arp_filter
  if [ "$(cat "/proc/sys/net/ipv4/conf/$kw_link/arp_filter")" != "$kw_was" ]; then
    printf '%s\\n' "$kw_was" >"/proc/sys/net/ipv4/conf/$kw_link/arp_filter" && kw_tell restored "$kw_was" || exit 1
  fi
fi
`;
