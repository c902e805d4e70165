/** Bytes of an IPv4 header and of an ICMP header, around the payload of ping. */
const PING_HEADERS = 28;
/** Every IPv4 host takes packets of this size, bytes (RFC 791). */
export const SMALLEST_PACKET = 576;

/**
 * sh function for hosts, with ping of iputils. `packets ADDRESS BYTES`: do packets of BYTES reach the address in one piece, with "do
 * not fragment"? Prints nothing when they do, and when the address answers no echo at all, which says nothing about sizes. Otherwise
 * `<largest size that passes> <what ping says>`: words of a router, or of the own link, which know the size; none where packets are
 * lost on the way. Takes up to a second for each size that is lost. The kernel may remember a smaller size for the address than its way
 * has: that of the link of a pod behind it, whose packets carry the address of its node. So what it remembers is removed before the second try.
 */
export const PACKETS_FUNCTION = `
packet_fits() { packet_says=$(ping -n -c 1 -W 1 -M do -s "$(($2 - ${PING_HEADERS}))" "$1" 2>&1); }
packets() {
  command -v ping >/dev/null || return 0
  packet_fits "$1" ${SMALLEST_PACKET} || packet_fits "$1" ${SMALLEST_PACKET} || return 0
  packet_fits "$1" "$2" || { ip -4 route flush cache 2>/dev/null || :; packet_fits "$1" "$2"; } || ! packet_fits "$1" ${SMALLEST_PACKET} || {
    packet_fits "$1" "$2" && return 0
    packet_why=$(printf '%s\\n' "$packet_says" | grep -i -m 1 -e 'mtu *=' | tr '\\t' ' ' || :)
    packet_low=${SMALLEST_PACKET} packet_high=$2
    while [ $((packet_high - packet_low)) -gt 1 ]; do
      packet_middle=$(((packet_low + packet_high) / 2))
      if packet_fits "$1" "$packet_middle"; then packet_low=$packet_middle; else packet_high=$packet_middle; fi
    done
    echo "$packet_low $packet_why"
  }
}
`;

/**
 * The same in a test pod, which has busybox alone and of all privileges NET_RAW: its ping lets the kernel fragment what is larger than a path
 * that it knows, so that a size fits when no fragment was made. The first line: the MTU of the pod's link.
 */
export const POD_PACKETS_FUNCTION = `
link_mtu=$(cat /sys/class/net/eth0/mtu 2>/dev/null)
fragments() { awk '$1 == "Ip:" { for (i = 2; i <= NF; i++) { if (named) { if (name[i] == "FragCreates") print $i } else name[i] = $i } named = 1 }' /proc/net/snmp; }
packet_fits() {
  fragments_before=$(fragments)
  ping -q -c 1 -W 1 -s "$(($2 - ${PING_HEADERS}))" "$1" >/dev/null 2>&1 && [ "$(fragments)" = "$fragments_before" ]
}
packets() {
  packet_fits "$1" ${SMALLEST_PACKET} || packet_fits "$1" ${SMALLEST_PACKET} || return 0
  packet_fits "$1" "$2" || packet_fits "$1" "$2" || ! packet_fits "$1" ${SMALLEST_PACKET} || {
    packet_fits "$1" "$2" && return 0
    packet_low=${SMALLEST_PACKET} packet_high=$2
    while [ $((packet_high - packet_low)) -gt 1 ]; do
      packet_middle=$(((packet_low + packet_high) / 2))
      if packet_fits "$1" "$packet_middle"; then packet_low=$packet_middle; else packet_high=$packet_middle; fi
    done
    echo "$packet_low"
  }
}
`;
