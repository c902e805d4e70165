import { DROP_CHAINS } from '../../kube/packet-filter.ts';
import { type ResidueResource, residue } from '../../resources/residue.ts';
import type { ProxyMode } from './kube-proxy.ts';

/** Chains that the kubelet keeps itself, whatever the mode of kube-proxy. */
const KUBELET = 'KUBE-(KUBELET-CANARY|FIREWALL|IPTABLES-HINT|MARK-DROP)';
/** Chains of single services and their endpoints, which only mode iptables has. */
const IPTABLES_ONLY = 'KUBE-(SVC|SVL|SEP|EXT|FW)-.*|KUBE-(EXTERNAL-SERVICES|PROXY-FIREWALL)';

const IPVS = { link: 'kube-ipvs0' };

/** iptables chains of kube-proxy that the mode does not have, as an extended regular expression of whole names; empty: none. */
const CHAINS: Readonly<Record<ProxyMode, { gone: string; kept: string }>> = {
  nftables: { gone: 'KUBE-.*', kept: KUBELET },
  iptables: { gone: 'KUBE-(LOAD-BALANCER|NODE-PORT|SOURCE-RANGES-FIREWALL|IPVS-FILTER|IPVS-OUT-FILTER)', kept: '-' },
  ipvs: { gone: IPTABLES_ONLY, kept: '-' },
  none: { gone: 'KUBE-.*', kept: KUBELET },
};

/**
 * Rules of kube-proxy's other modes. kube-proxy takes some of them away when it starts in another mode, never all; a rule of
 * an earlier mode that stays would lead traffic to endpoints of that time.
 */
export function otherModesRules(mode: ProxyMode): ResidueResource {
  const { gone, kept } = CHAINS[mode];
  const ofIptables = mode === 'iptables' || mode === 'ipvs';
  return residue('kube-proxy-modes', {
    find: [
      // Its files go later, with what else the host no longer desires: until then it must not write rules.
      ...(mode === 'none' ? ['! systemctl is-active --quiet kube-proxy.service || echo unit kube-proxy.service'] : []),
      `for kw_c in iptables ip6tables; do
  command -v "$kw_c-save" >/dev/null || continue
  "$kw_c-save" 2>/dev/null | sed -n 's/^:\\([^ ]*\\) .*/\\1/p' | grep -Ex '${gone}' | grep -Exv '${kept}' | sort -u | sed "s/^/$kw_c chain /"
done`,
      ...(mode === 'nftables'
        ? []
        : [`nft list tables 2>/dev/null | sed -n 's/^table \\(ip6\\{0,1\\} kube-proxy\\)$/nft table \\1/p'`]),
      ...(mode === 'ipvs' ? [] : [`[ ! -e /sys/class/net/${IPVS.link} ] || echo 'link ${IPVS.link} and its services'`]),
    ].join('\n'),
    remove: [
      ...(mode === 'none' ? [STOP_PROXY] : []),
      DROP_CHAINS,
      // kube-proxy clears up at its start as well: what it took away in between is asked for again.
      `kw_try=0
while :; do
  kw_names=$(for kw_c in iptables ip6tables; do
    command -v "$kw_c-save" >/dev/null && "$kw_c-save" 2>/dev/null
  done | sed -n 's/^:\\([^ ]*\\) .*/\\1/p' | grep -Ex '${gone}' | grep -Exv '${kept}' | sort -u | tr '\\n' '|')
  [ -n "$kw_names" ] || break
  kw_drop_chains "^(\${kw_names%|})\\$" && continue
  kw_try=$((kw_try + 1))
  [ "$kw_try" -lt 10 ] || exit 1
  sleep 0.5
done`,
      ...(ofIptables ? [] : [DROP_EMPTY_CHAINS]),
      ...(mode === 'nftables' ? [] : [DROP_NFTABLES]),
      ...(mode === 'ipvs' ? [] : [DROP_IPVS]),
    ].join('\n'),
  });
}

const STOP_PROXY = `if systemctl is-active --quiet kube-proxy.service; then
  systemctl disable --now --quiet kube-proxy.service || exit 1
fi`;

/**
 * sh of a teardown: chains of the kernel's hooks that iptables made for rules of kube-proxy, where they are empty and let
 * everything pass. Deleting one with rules would delete those too, so it is looked at first.
 */
const DROP_EMPTY_CHAINS = `for kw_family in ip ip6; do
  for kw_at in filter/INPUT filter/FORWARD filter/OUTPUT nat/PREROUTING nat/INPUT nat/OUTPUT nat/POSTROUTING; do
    kw_text=$(nft -s list chain "$kw_family" "\${kw_at%/*}" "\${kw_at#*/}" 2>/dev/null) || continue
    printf '%s\\n' "$kw_text" | grep -Evq '^(table .*[{]|[[:space:]]*chain [A-Z]* [{]|[[:space:]]*type .* policy accept;|[[:space:]]*[}]|[[:space:]]*)$' ||
      nft delete chain "$kw_family" "\${kw_at%/*}" "\${kw_at#*/}"
  done
done`;

/** sh of a teardown: the tables of mode nftables. */
export const DROP_NFTABLES = `for kw_family in ip ip6; do
  if nft list table "$kw_family" kube-proxy >/dev/null 2>&1; then
    KW_KEY=rules:kube-proxy
    if nft delete table "$kw_family" kube-proxy; then kw_tell removed "nft table $kw_family kube-proxy"
    elif nft list table "$kw_family" kube-proxy >/dev/null 2>&1; then exit 1
    fi
  fi
done`;

/** sh of a teardown: link, services and sets of mode ipvs. */
export const DROP_IPVS = `if [ -e /sys/class/net/${IPVS.link} ]; then
  KW_KEY=rules:ipvs
  kw_addresses=$(ip -o address show dev ${IPVS.link} | sed -n 's|.* inet6\\{0,1\\} \\([^/ ]*\\).*|\\1|p')
  ipvsadm --save --numeric 2>/dev/null | while read -r kw_verb kw_kind kw_at _; do
    [ "$kw_verb" = -A ] || continue
    kw_ip=\${kw_at%:*}
    kw_ip=\${kw_ip#[}
    if printf '%s\\n' "$kw_addresses" | grep -qxF -- "\${kw_ip%]}"; then ipvsadm -D "$kw_kind" "$kw_at"; fi
  done
  ip link delete ${IPVS.link} && kw_tell removed 'the services of kube-proxy and its link ${IPVS.link}' || exit 1
  ipset list -n 2>/dev/null | grep '^KUBE-' | while read -r kw_set; do ipset destroy "$kw_set"; done
fi`;
