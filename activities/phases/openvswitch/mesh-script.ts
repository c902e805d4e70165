import { CURL } from '../../host/direct.ts';
import { HOST_PATH } from '../../host/host-path.ts';
import { CNI_CONF_DIR } from '../../kube/paths.ts';
import {
  CNI_CONFLIST,
  MESH_STATE,
  POD_BRIDGE,
  RUN_DIR,
  SETTINGS,
  TUNNEL_BRIDGE,
  UPLINK,
  UPLINK_BRIDGE,
} from './paths.ts';

/** awk: from a list of nodes as the API server indents it to lines `<name> <podCIDR> <address>`, `-` for what a node does not have yet. */
const NODES = String.raw`
function text() { value = $0; sub(/^[^:]*: "/, "", value); sub(/",?$/, "", value); return value }
/^    "resourceVersion": / { version = text() }
/^    \{$/ { name = cidr = address = section = ""; internal = 0 }
/^      "(metadata|spec|status)": \{/ { section = $1 }
section == "\"metadata\":" && /^        "name": / { name = text() }
section == "\"spec\":" && /^        "podCIDR": / { cidr = text() }
section == "\"status\":" && /^            "type": / { internal = text() == "InternalIP" }
section == "\"status\":" && /^            "address": / && internal && address == "" && text() ~ /^[0-9.]+$/ { address = text() }
/^    \},?$/ && name ~ /^[a-z0-9.-]+$/ {
  print name, (cidr ~ /^[0-9.]+\/[0-9]+$/ ? cidr : "-"), (address == "" ? "-" : address)
}
/^\}$/ { complete = 1 }
END { if (!complete || version !~ /^[0-9]+$/) exit 1; print "version", version, "-" }
`;

/** With words in capitals, which the program replaces. All pods are in one network: those of other nodes are reached without a gateway. */
const CONFLIST = JSON.stringify({
  cniVersion: '1.0.0',
  name: 'kubewright',
  plugins: [
    {
      type: 'bridge',
      bridge: POD_BRIDGE,
      mtu: 'MTU',
      // The address of the bridge is the unit's.
      isGateway: false,
      hairpinMode: true,
      ipMasq: false,
      ipam: {
        type: 'host-local',
        ranges: [[{ subnet: 'NETWORK', rangeStart: 'FIRST', rangeEnd: 'LAST', gateway: 'GATEWAY' }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
}).replace('"MTU"', 'MTU');

/**
 * The program of the unit. `restore`: links, bridges and tunnels as they were last, at boot, when no API server answers yet. `run`:
 * follows the list of nodes. `state`: `datapath <kernel | userspace>`, then `tunnel <node> <up | missing | failed>` for each other node.
 * Every step looks first, so it may end anywhere and run again.
 */
export const MESH_SCRIPT = `#!/bin/sh
# Written by Kubewright. restore | run | state
set -u
export LC_ALL=C PATH=${HOST_PATH}
. ${SETTINGS}
chosen=
host_link=
version=

die() {
  echo "$*" >&2
  exit 1
}
vs() { ovs-vsctl --timeout=20 "$@"; }
has() { [ -e "/sys/class/net/$1" ]; }
# number ADDRESS: as an integer, in $number
number() {
  was=$IFS
  IFS=.
  # Unquoted: split at the dots.
  set -- $1
  IFS=$was
  number=$(((($1 * 256 + $2) * 256 + $3) * 256 + $4))
}
# dotted NUMBER: the address
dotted() { echo "$(($1 >> 24)).$(($1 >> 16 & 255)).$(($1 >> 8 & 255)).$(($1 & 255))"; }
# tunnel_end ADDRESS: the address of the private range for the host of this address, in $end and $number
tunnel_end() {
  number "\${tunnel_cidr%/*}"
  range=$number
  number "$1"
  number=$((range | (number & ((1 << (32 - \${tunnel_cidr#*/})) - 1))))
  end=$(dotted "$number")
}
# own_node FILE: its podCIDR and address, in $cidr and $address; fails while it has none
own_node() {
  cidr=- address=-
  while read -r n_name n_cidr n_address; do
    [ "$n_name" != "$node" ] || { cidr=$n_cidr address=$n_address; }
  done <"$1"
  [ "$cidr" != - ] && [ "$address" != - ]
}

# Once for a setting: a kernel that has the module after an update would have other tunnels than the other nodes.
choose_datapath() {
  was=
  [ ! -r ${MESH_STATE}/datapath ] || read -r was chosen <${MESH_STATE}/datapath
  [ "$was" != "$datapath" ] || return 0
  chosen=$datapath
  if [ "$datapath" = auto ]; then
    chosen=userspace
    modprobe -q openvswitch 2>/dev/null
    if ovs-dpctl dump-dps >/dev/null 2>&1; then chosen=kernel; fi
  fi
  echo "$datapath $chosen" >${MESH_STATE}/datapath
}
# mine BRIDGE: true for one that Kubewright made, false where there is none; another's ends the program
mine() {
  vs br-exists "$1" || return 1
  mark=$(vs br-get-external-id "$1" kubewright) || die "Open vSwitch does not answer"
  [ -n "$mark" ] || die "the bridge $1 of Open vSwitch is not of Kubewright: rename or remove it"
}
# only_address LINK ADDRESS/BITS
only_address() {
  for other in $(ip -o -4 address show dev "$1" | awk '{ print $4 }'); do
    [ "$other" = "$2" ] || ip address delete "$other" dev "$1"
  done
  ip address replace "$2" dev "$1"
}
# All links receive the same ARP requests: one answers only when packets to the sender would leave through it.
arp_filter() {
  read -r was <"/proc/sys/net/ipv4/conf/$host_link/arp_filter"
  [ -e ${MESH_STATE}/arp-filter ] || echo "$host_link $was" >${MESH_STATE}/arp-filter
  for each in "$host_link" ${UPLINK_BRIDGE}; do echo 1 >"/proc/sys/net/ipv4/conf/$each/arp_filter"; done
}
# In the userspace datapath a tunnel ends at an address of an Open vSwitch bridge with a way to the network of the hosts.
add_uplink() {
  tunnel_end "$address"
  # Given, so that nothing changes it later, and known to the bridge: a macvlan drops packets for another address.
  mac=$(printf '0a:5b:%02x:%02x:%02x:%02x' $((number >> 24)) $((number >> 16 & 255)) $((number >> 8 & 255)) $((number & 255)))
  if has ${UPLINK}; then
    read -r alias <"/sys/class/net/${UPLINK}/ifalias" && [ "$alias" = kubewright ] || die "the link ${UPLINK} is not of Kubewright"
    read -r was <"/sys/class/net/${UPLINK}/address"
    [ "$was" = "$mac" ] || ip link delete ${UPLINK}
  fi
  if ! has ${UPLINK}; then
    ip link add ${UPLINK} link "$host_link" address "$mac" type macvlan mode bridge || die "no macvlan on $host_link"
    ip link set ${UPLINK} alias kubewright
  fi
  ip link set ${UPLINK} addrgenmode none 2>/dev/null
  # Open vSwitch alone reads it: the kernel must not answer there for other addresses of the host.
  ip link set ${UPLINK} arp off up
  mine ${UPLINK_BRIDGE} || :
  vs --may-exist add-br ${UPLINK_BRIDGE} -- set bridge ${UPLINK_BRIDGE} datapath_type=netdev "other-config:hwaddr=\\"$mac\\"" \\
    -- br-set-external-id ${UPLINK_BRIDGE} kubewright uplink -- --may-exist add-port ${UPLINK_BRIDGE} ${UPLINK} || die "no bridge ${UPLINK_BRIDGE}"
  arp_filter
  ip link set ${UPLINK_BRIDGE} addrgenmode none 2>/dev/null
  ip link set ${UPLINK_BRIDGE} up
  only_address ${UPLINK_BRIDGE} "$end/\${tunnel_cidr#*/}"
}
remove_uplink() {
  if mine ${UPLINK_BRIDGE}; then vs del-br ${UPLINK_BRIDGE}; fi
  ! has ${UPLINK} || ip link delete ${UPLINK}
  [ -e ${MESH_STATE}/arp-filter ] || return 0
  read -r each was <${MESH_STATE}/arp-filter
  echo "$was" >"/proc/sys/net/ipv4/conf/$each/arp_filter"
  rm -f ${MESH_STATE}/arp-filter
}
set_links() {
  host_link=$(ip -o -4 address show to "$address/32" | awk -v skip=${POD_BRIDGE} '$2 != skip { print $2; exit }')
  [ -n "$host_link" ] || die "no link of this host has the address $address of its node"
  read -r link_mtu <"/sys/class/net/$host_link/mtu"
  pod_mtu=\${mtu:-$((link_mtu - overhead))}
  if [ "$chosen" = kernel ]; then
    remove_uplink
    type=system end=$address
  else
    add_uplink
    type=netdev
  fi
  wanted="$type $tunnel $port $end"
  if mine ${TUNNEL_BRIDGE} && [ "$mark" != "$wanted" ]; then vs del-br ${TUNNEL_BRIDGE}; fi
  vs --may-exist add-br ${TUNNEL_BRIDGE} -- set bridge ${TUNNEL_BRIDGE} datapath_type=$type -- br-set-external-id ${TUNNEL_BRIDGE} kubewright "$wanted" \\
    -- set interface ${TUNNEL_BRIDGE} mtu_request="$pod_mtu" || die "no bridge ${TUNNEL_BRIDGE}"
  number "\${cidr%/*}"
  gateway=$(dotted $((number + 1)))
  if ! has ${POD_BRIDGE}; then
    # The same after a reboot: other nodes remember it.
    ip link add ${POD_BRIDGE} address "$(printf '0a:58:%02x:%02x:%02x:%02x' $((number >> 24)) $((number >> 16 & 255)) $((number >> 8 & 255)) $(((number + 1) & 255)))" type bridge ||
      die "no bridge ${POD_BRIDGE}"
    ip link set ${POD_BRIDGE} alias kubewright
  fi
  ip link set ${TUNNEL_BRIDGE} addrgenmode none 2>/dev/null
  ip link set ${TUNNEL_BRIDGE} master ${POD_BRIDGE}
  ip link set ${TUNNEL_BRIDGE} up
  ip link set ${POD_BRIDGE} mtu "$pod_mtu" up
  only_address ${POD_BRIDGE} "$gateway/\${pod_cidr#*/}"
  bridge_index=$(cat /sys/class/net/${TUNNEL_BRIDGE}/ifindex)
}
# set_ports FILE: a tunnel for every other node, and no other
set_ports() {
  have=" $(vs list-ports ${TUNNEL_BRIDGE} | tr '\\n' ' ')"
  want=' '
  own_end=$end
  nodes=$1
  set --
  while read -r n_name n_cidr n_address; do
    [ "$n_name" != "$node" ] && [ "$n_address" != - ] || continue
    number "$n_address"
    name=$(printf 'kw%08x' "$number")
    remote=$n_address
    if [ "$chosen" = userspace ]; then
      tunnel_end "$n_address"
      remote=$end
    fi
    want="$want$name "
    case $have in *" $name "*) continue ;; esac
    # Nothing goes from one tunnel into another: with all nodes connected to each other packets would circle for ever.
    set -- "$@" -- add-port ${TUNNEL_BRIDGE} "$name" -- set port "$name" protected=true \\
      -- set interface "$name" type="$tunnel" options:remote_ip="$remote" options:local_ip="$own_end" external_ids:node="$n_name"
    [ "$tunnel" != vxlan ] || set -- "$@" options:dst_port="$port"
  done <"$nodes"
  for name in $have; do
    case $name in kw????????) ;; *) continue ;; esac
    case $want in *" $name "*) ;; *) set -- "$@" -- del-port ${TUNNEL_BRIDGE} "$name" ;; esac
  done
  [ $# = 0 ] || vs "$@" || die "Open vSwitch did not take the tunnels"
}
rules() {
  {
    printf '*filter\\n:KW-OVS-FORWARD - [0:0]\\n:KW-OVS-INPUT - [0:0]\\n'
    printf -- '-A KW-OVS-FORWARD -s %s -j ACCEPT\\n-A KW-OVS-FORWARD -d %s -j ACCEPT\\n' "$pod_cidr" "$pod_cidr"
    # The kernel has the packets of tunnels too, and would answer that it does not know them.
    [ "$chosen" = kernel ] || echo '-A KW-OVS-INPUT -i ${UPLINK} -j DROP'
    printf 'COMMIT\\n*nat\\n:KW-OVS-POSTROUTING - [0:0]\\n'
    if [ "$masquerade" = yes ]; then
      printf -- '-A KW-OVS-POSTROUTING -s %s -d %s -j RETURN\\n' "$pod_cidr" "$pod_cidr"
      printf -- '-A KW-OVS-POSTROUTING -s %s ! -d 224.0.0.0/4 -j MASQUERADE --random-fully\\n' "$pod_cidr"
      printf -- '-A KW-OVS-POSTROUTING -d %s -j RETURN\\n' "$cidr"
      printf -- '-A KW-OVS-POSTROUTING -d %s -j MASQUERADE --random-fully\\n' "$pod_cidr"
    fi
    echo COMMIT
  } | iptables-restore --wait 10 --noflush || die "iptables did not take the rules"
  jump filter -I INPUT KW-OVS-INPUT
  jump filter -A FORWARD KW-OVS-FORWARD
  jump nat -A POSTROUTING KW-OVS-POSTROUTING
}
jump() {
  iptables --wait 10 -t "$1" -C "$3" -j "$4" 2>/dev/null || iptables --wait 10 -t "$1" "$2" "$3" -j "$4" || die "no rule in $3"
}
network() {
  number "\${cidr%/*}"
  first=$(dotted $((number + 2))) last=$(dotted $((number + (1 << (32 - \${cidr#*/})) - 2)))
  text=$(printf '%s' '${CONFLIST}' | sed -e "s|MTU|$pod_mtu|" -e "s|NETWORK|$pod_cidr|" -e "s|FIRST|$first|" -e "s|LAST|$last|" -e "s|GATEWAY|$gateway|")
  [ "$(cat ${CNI_CONFLIST} 2>/dev/null)" = "$text" ] || {
    (
      umask 077
      printf '%s\\n' "$text" >${CNI_CONF_DIR}/.10-kubewright.new
    )
    mv -f ${CNI_CONF_DIR}/.10-kubewright.new ${CNI_CONFLIST}
  }
}
# apply FILE
apply() {
  choose_datapath
  if has ${POD_BRIDGE} && [ ! -e ${MESH_STATE}/nodes ] && [ "$(cat /sys/class/net/${POD_BRIDGE}/ifalias)" != kubewright ]; then
    die "the link ${POD_BRIDGE} is not of Kubewright"
  fi
  if [ "$1" != ${MESH_STATE}/nodes ] && ! cmp -s "$1" ${MESH_STATE}/nodes; then
    cp "$1" ${MESH_STATE}/nodes.new && mv -f ${MESH_STATE}/nodes.new ${MESH_STATE}/nodes
  fi
  set_links
  set_ports "$1"
  rules
  network
}

# ask QUERY OPTION...; with how=exec the process becomes curl: ending it then ends the request
how=
ask() {
  path=$1
  shift
  $how ${CURL} -sS -f --cacert "$ca" --cert "$cert" --key "$key" "$@" "$server/api/v1/nodes?$path"
}
list() {
  ask pretty=true -m 60 >${RUN_DIR}/answer || return 1
  awk '${NODES.replaceAll("'", "'\\''")}' ${RUN_DIR}/answer >${RUN_DIR}/list || { echo "the list of nodes cannot be read" >&2; return 1; }
  version=$(sed -n 's/^version \\([0-9]*\\) -$/\\1/p' ${RUN_DIR}/list)
  grep -v '^version [0-9]* -$' ${RUN_DIR}/list >${RUN_DIR}/nodes
}
# The links of Open vSwitch are made anew when it is restarted, without their place in other bridges.
links_stand() {
  [ -e /sys/class/net/${POD_BRIDGE}/brif/${TUNNEL_BRIDGE} ] && read -r index </sys/class/net/${TUNNEL_BRIDGE}/ifindex && [ "$index" = "$bridge_index" ]
}
# Until a node comes or goes, a link is lost, or two minutes are over.
wait_for_change() {
  rm -f ${RUN_DIR}/events ${RUN_DIR}/ended
  mkfifo -m 0600 ${RUN_DIR}/events
  (
    how=exec
    ask "watch=true&timeoutSeconds=110&resourceVersion=$version" -N -m 120 -H 'Accept: application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'
  ) >${RUN_DIR}/events 2>/dev/null &
  watcher=$!
  {
    grep -q -m 1 -E '^[{]"type":"(ADDED|DELETED|ERROR)"'
    : >${RUN_DIR}/ended
  } <${RUN_DIR}/events &
  reader=$!
  while
    sleep 1
    [ ! -e ${RUN_DIR}/ended ] && links_stand
  do :; done
  kill "$watcher" "$reader" 2>/dev/null
  wait "$watcher" "$reader" 2>/dev/null
}

case \${1:-} in
  restore)
    mkdir -p ${MESH_STATE}
    [ ! -r ${MESH_STATE}/nodes ] || ! own_node ${MESH_STATE}/nodes || apply ${MESH_STATE}/nodes
    ;;
  run)
    mkdir -p ${MESH_STATE} ${RUN_DIR}
    while :; do
      # A list without this node is not the list of a cluster that it is in: nothing is taken away.
      if list && own_node ${RUN_DIR}/nodes; then
        apply ${RUN_DIR}/nodes
        # A node that is not complete yet is so within seconds.
        if grep -q ' -$' ${RUN_DIR}/nodes; then sleep 2; else wait_for_change; fi
      else
        sleep 1
      fi
    done
    ;;
  state)
    [ -r ${MESH_STATE}/datapath ] && [ -r ${MESH_STATE}/nodes ] || exit 0
    read -r was chosen <${MESH_STATE}/datapath
    echo "datapath $chosen"
    ports=" $(vs -f csv -d bare --no-headings --columns=name,ofport list Interface | tr '\\n' ' ')" || exit 1
    while read -r n_name n_cidr n_address; do
      [ "$n_name" != "$node" ] && [ "$n_address" != - ] || continue
      number "$n_address"
      name=$(printf 'kw%08x' "$number")
      case $ports in
        *" $name,-1 "* | *" $name,[] "* | *" $name, "*) echo "tunnel $n_name failed" ;;
        *" $name,"*) echo "tunnel $n_name up" ;;
        *) echo "tunnel $n_name missing" ;;
      esac
    done <${MESH_STATE}/nodes
    ;;
  *) die 'restore | run | state' ;;
esac
`;
