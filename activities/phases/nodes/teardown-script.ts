import { DROP_CHAINS } from '../../kube/packet-filter.ts';

/**
 * Rules of kubelet and kube-proxy in whichever mode, and settings that they changed. Arguments: what the witness saw
 * (packet-filter.ts), empty when it saw nothing, and which settings are the host's own: `net/` in a container, where the
 * others are those of the whole machine.
 */
export const NODE_TEARDOWN = `${DROP_CHAINS}
kw_seen=$1 kw_own=$2
kw_drop_chains '^KUBE-'
# Hosts' ports of pods are in chains of the CNI plugin portmap, which other runtimes may use as well.
kw_drop_portmap kubewright
for kw_family in ip ip6; do
  if nft list table "$kw_family" kube-proxy >/dev/null 2>&1; then
    KW_KEY=rules:kube-proxy
    nft delete table "$kw_family" kube-proxy && kw_tell removed "nft table $kw_family kube-proxy" || exit 1
  fi
done
if [ -e /sys/class/net/kube-ipvs0 ]; then
  KW_KEY=rules:ipvs
  kw_addresses=$(ip -o address show dev kube-ipvs0 | sed -n 's|.* inet6\\{0,1\\} \\([^/ ]*\\).*|\\1|p')
  ipvsadm --save --numeric 2>/dev/null | while read -r kw_verb kw_kind kw_at _; do
    [ "$kw_verb" = -A ] || continue
    kw_ip=\${kw_at%:*}
    kw_ip=\${kw_ip#[}
    if printf '%s\\n' "$kw_addresses" | grep -qxF -- "\${kw_ip%]}"; then ipvsadm -D "$kw_kind" "$kw_at"; fi
  done
  ip link delete kube-ipvs0 && kw_tell removed 'the services of kube-proxy and its link kube-ipvs0' || exit 1
  ipset list -n 2>/dev/null | grep '^KUBE-' | while read -r kw_set; do ipset destroy "$kw_set"; done
fi
kw_drop_empty_tables "$kw_seen"
printf '%s\\n' "$kw_seen" | while read -r kw_word kw_name kw_was; do
  [ "$kw_word" = sysctl ] && [ -e "/proc/sys/$kw_name" ] || continue
  case $kw_name in "$kw_own"*) ;; *) continue ;; esac
  KW_KEY=sysctls:$(printf '%s' "$kw_name" | tr / .)
  [ "$(cat "/proc/sys/$kw_name")" = "$kw_was" ] || { printf '%s\\n' "$kw_was" >"/proc/sys/$kw_name" && kw_tell restored "$kw_was"; } || exit 1
done
`;
