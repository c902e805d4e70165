import { HOST_SNAPSHOT } from '../../support/host-snapshot.ts';

/**
 * More of a host than `HOST_SNAPSHOT` has, a line each: addresses, rules of routing, listening sockets, which units run or
 * are failed, groups, rules of the earlier iptables, sets, RPM packages, bridges of Open vSwitch, all settings of the network.
 * Left out: settings per link (the link itself is listed), counters, and what the kernel changes by itself.
 */
const MORE = `
ip -o addr | awk '{print "address", $2, $3, $4}' | sed 's/@[^ ]*//' | sort
ip rule | sed 's/^/rule /'
ss -H -lntu 2>/dev/null | awk '{print "listens", $1, $5}' | sort -u
systemctl list-units --all --no-legend --no-pager --plain --type=service,timer,socket |
  awk '$3 == "active" || $3 == "failed" {print "state", $1, $3}' |
  grep -Ev '^state (user|session|run-|systemd-|apt-|dpkg-|e2scrub|fstrim|man-db|logrotate)|@' | sort
sed 's/^/group /' /etc/group | sort
for tool in iptables-legacy-save ip6tables-legacy-save; do
  if command -v $tool >/dev/null; then $tool 2>/dev/null | grep -v '^#' | sed "s/\\[[0-9:]*\\]//; s/^/$tool /"; fi
done
if command -v ipset >/dev/null; then ipset list -n 2>/dev/null | sed 's/^/ipset /'; fi
if command -v ipvsadm >/dev/null; then ipvsadm -Sn 2>/dev/null | sed 's/^/ipvs /'; fi
if command -v ovs-vsctl >/dev/null; then timeout 5 ovs-vsctl list-br 2>/dev/null | sed 's/^/ovs /'; fi
if command -v rpm >/dev/null && [ -d /var/lib/rpm ]; then rpm -qa 2>/dev/null | sort | sed 's/^/rpm /'; fi
sysctl -a 2>/dev/null | grep -E '^net\\.' |
  grep -Ev '^net\\.(ipv[46]\\.(conf|neigh)\\.|netfilter\\.nf_conntrack_count|ipv4\\.(tcp_mem|udp_mem|tcp_fastopen_key)|core\\.netdev_rss_key)' |
  sed 's/^/setting /' | sort
`;

/** A script that prints what a host is, a line for each thing. */
export const MATRIX_SNAPSHOT = `${HOST_SNAPSHOT}${MORE}`;
