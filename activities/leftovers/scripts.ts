import { CNI_CONF_DIR, ETCD_DIR } from '../kube/paths.ts';
import { LEDGER, STAMP_DIR } from '../resources/paths.ts';

/**
 * sh: `ours <unit>` is true where Kubewright has placed that unit (ledger, or stamps of a version without one), `ours <path>` where
 * that file is in the ledger. What is found beside a kubelet of ours is our own, or was installed by an operator of our cluster: no
 * leftover.
 * `owner <path>`: the package that a file is of, or `-`.
 */
export const OURS = `ours() {
  case $1 in /*) cut -f 1 ${LEDGER} 2>/dev/null | grep -qxF -- "file:$1"; return ;; esac
  cut -f 1 ${LEDGER} 2>/dev/null | grep -qxF -- "service:$1" || [ -e ${STAMP_DIR}/unit."$1" ] ||
    grep -qs kubewright "/etc/systemd/system/$1" || { [ "$1" = etcd.service ] && grep -qs Kubewright ${ETCD_DIR}/etcd.env; }
}
owner() {
  if command -v dpkg-query >/dev/null; then set -- "$(dpkg-query -S "$1" 2>/dev/null | head -n 1 | cut -d : -f 1)"
  elif command -v rpm >/dev/null; then set -- "$(rpm -qf --qf '%{NAME}' "$1" 2>/dev/null || :)"
  else set --; fi
  printf '%s' "\${1:--}"
}`;

/** Ours sorts as \`10-kubewright\`; containerd takes the first. Files of these networks are leftovers wherever they sort. */
const OWN_CNI = '10-kubewright.conflist';
const CNI_NAMES =
  '*calico* | *cilium* | *flannel* | *weave* | *canal* | *multus* | *antrea* | *kube-router* | *k3s* | *k0s* | *ovn*';
/** Links that only networks of clusters make. docker0, podman's and LXC's bridges are no leftovers. */
const LINKS =
  'cni0 | flannel.[0-9]* | flannel-v6.* | flannel0 | flannel-wg* | cali[0-9a-f]* | vxlan*.calico | wireguard.cali | kube-ipvs0 | kube-bridge | kube-dummy-if | weave | vxlan-6784 | vethwe-* | cilium_* | lxc_health | nodelocaldns | antrea-gw0 | antrea-tun0';
/** Chains of iptables, as an extended regular expression of grep, sed and awk. */
export const CHAINS = '(KUBE-|FLANNEL-|cali-|CILIUM_|OLD_CILIUM_|WEAVE|ANTREA-)';

/**
 * sh, with \`OURS\` and a \`say\` of words: what networks of other clusters left, on a host without a kubelet of ours, and
 * drop-ins of others that replace what our units ($@) start, on every host.
 * - \`dropin UNIT PATH LINE TEXT OWNER\`, as systemd reads them: a file hides others of its name in later folders
 * - \`cni PATH OWNER\`, \`link NAME ADDRESSES\`, \`chains PROGRAM COUNT NAMES\`, \`table FAMILY NAME\`
 */
export const LEFTOVERS = `for unit in "$@"; do
  seen=' '
  for base in /etc /run /usr/local/lib /usr/lib /lib; do
    for file in "$base/systemd/system/$unit.d"/*.conf "$base/systemd/system/\${unit%%-*}-.service.d"/*.conf "$base/systemd/system/service.d"/*.conf; do
      [ -e "$file" ] || [ -L "$file" ] || continue
      name=\${file##*/}
      case $seen in *" $name "*) continue ;; esac
      seen="$seen$name "
      found=$(grep -nsE '^[[:space:]]*ExecStart[[:space:]]*=[[:space:]]*[^[:space:]]' "$file" | tail -n 1)
      [ -z "$found" ] || say dropin "$unit" "$file" "\${found%%:*}" "$(printf '%.300s' "\${found#*:}" | tr '\\t' ' ')" "$(owner "$file")"
    done
  done
done
case " $* " in *' kubelet.service '*) ;; *) return 0 ;; esac
if ! ours kubelet.service; then
  for file in ${CNI_CONF_DIR}/*.conf ${CNI_CONF_DIR}/*.conflist ${CNI_CONF_DIR}/*.json; do
    [ -f "$file" ] || continue
    name=\${file##*/}
    case $name in
      ${OWN_CNI}) continue ;;
      ${CNI_NAMES}) ;;
      *) [ "$(printf '%s\\n' "$name" ${OWN_CNI} | sort | head -n 1)" = "$name" ] || continue ;;
    esac
    say cni "$file" "$(owner "$file")"
  done
  for link in /sys/class/net/*; do
    link=\${link##*/}
    addresses=$(ip -o address show dev "$link" scope global 2>/dev/null | sed 's/.* inet6\\{0,1\\} \\([^ ]*\\).*/\\1/' | head -n 4 | tr '\\n' ' ')
    case $link in ${LINKS}) ;; tunl0) [ -n "$addresses" ] || continue ;; *) continue ;; esac
    say link "$link" "\${addresses:-no address}"
  done
  for program in iptables ip6tables iptables-legacy ip6tables-legacy; do
    command -v "$program-save" >/dev/null || continue
    [ "$program" = iptables ] || [ "$program" = ip6tables ] || [ -s "/proc/net/\${program%les-legacy}_tables_names" ] || continue
    names=$("$program-save" 2>/dev/null | sed -nE 's/^:(${CHAINS}[^ ]*) .*/\\1/p' | sort -u)
    [ -z "$names" ] || say chains "$program" "$(printf '%s\\n' "$names" | wc -l)" "$(printf '%s\\n' "$names" | head -n 4 | tr '\\n' ' ')"
  done
  command -v nft >/dev/null && nft list tables 2>/dev/null | while read -r _ family name; do
    case $name in kube-proxy | flannel-ipv[46] | calico | cilium* | antrea*) say table "$family" "$name" ;; esac
  done
fi
return 0`;
