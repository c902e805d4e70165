import type { ClusterSpec } from '../../../../contracts/cluster.ts';
import type { Host } from '../../../../contracts/host.ts';
import { kubeChoices } from '../../../kube/choices.ts';
import { runsPods } from '../../placement.ts';
import { defineCheck } from '../check.ts';

/** A kernel feature: how the probe recognises it, and what it is wanted for. */
interface Feature {
  name: string;
  /** A symbol that the kernel has when the feature is built in or loaded. */
  symbol: string;
  /** A path that exists only with the feature. */
  sign: string | null;
  /** Words after `ip link add NAME type`, when it is an interface type. */
  linkType: string | null;
  reason: string;
}

const feature = (name: string, symbol: string, more: Partial<Feature> & { reason: string }): Feature => ({
  name,
  symbol,
  sign: null,
  linkType: null,
  ...more,
});

/** By kube-proxy's mode. */
const PROXY: Readonly<Record<string, Feature>> = {
  nftables: feature('nf_tables', 'nft_register_chain_type', { reason: 'kube-proxy mode nftables' }),
  iptables: feature('ip_tables', 'ipt_register_table', {
    sign: '/proc/net/ip_tables_names',
    reason: 'kube-proxy mode iptables',
  }),
  ipvs: feature('ip_vs', 'register_ip_vs_scheduler', { sign: '/proc/net/ip_vs', reason: 'kube-proxy mode ipvs' }),
};

/** By flannel's backend; host-gw needs none. */
const FLANNEL: Readonly<Record<string, Feature>> = {
  vxlan: feature('vxlan', 'vxlan_dev_create', { linkType: 'vxlan id 1 dstport 0', reason: 'flannel backend vxlan' }),
  udp: feature('tun', 'tun_get_socket', { sign: '/dev/net/tun', reason: 'flannel backend udp' }),
  ipip: feature('ipip', 'ipip_rcv', { linkType: 'ipip', reason: 'flannel backend ipip' }),
  wireguard: feature('wireguard', 'wg_packet_receive', { linkType: 'wireguard', reason: 'flannel backend wireguard' }),
};

const KUBE_FEATURES: readonly Feature[] = [
  feature('overlay', 'ovl_fill_super', { reason: 'container images' }),
  feature('br_netfilter', 'br_netfilter_enable', {
    sign: '/proc/sys/net/bridge/bridge-nf-call-iptables',
    reason: 'services between pods of one host',
  }),
  feature('nf_conntrack', 'nf_conntrack_in', {
    sign: '/proc/sys/net/netfilter/nf_conntrack_max',
    reason: 'services',
  }),
];

function featuresOf({ cluster, host }: { cluster: ClusterSpec; host: Host }): Feature[] {
  const choices = kubeChoices(cluster, host);
  const chosen = [PROXY[choices.proxyMode], FLANNEL[choices.flannelBackend]].filter((each) => each !== undefined);
  return [...KUBE_FEATURES, ...chosen];
}

export default defineCheck({
  name: 'kernel-features',
  about: 'kernel',
  title: 'Kernel features',
  inspects:
    'overlay, br_netfilter, nf_conntrack and what the chosen proxy mode and flannel backend need, on control planes and workers: loaded, built in (/proc, modules.builtin, /proc/kallsyms) or loadable (`modprobe -n`).',
  codes: ['KERNEL_FEATURE_MISSING'],
  probe: {
    // For interface types that leave no other trace the kernel makes one in a network namespace that ends with the
    // command: containers do not see the modules that the kernel would load for them, and the host's network stays as it is.
    script: `
loaded=' '
[ ! -r /proc/modules ] || while read -r name _; do loaded="$loaded$name "; done </proc/modules
tree=/lib/modules/$(uname -r)
unknown=
for feature; do
  name=\${feature%%,*} rest=\${feature#*,} symbol=\${rest%%,*} sign=\${rest#*,} sign=\${sign%%,*}
  found=
  case $loaded in *" $name "*) found=loaded ;; esac
  [ -n "$found" ] || [ "$sign" = - ] || [ ! -e "$sign" ] || found=$sign
  [ -n "$found" ] || [ ! -d "/sys/module/$name" ] || found="/sys/module/$name"
  [ -n "$found" ] || ! grep -qsw -- "$name" /proc/filesystems || found=/proc/filesystems
  [ -n "$found" ] || ! grep -qs -- "/$name[.]ko" "$tree/modules.builtin" || found=modules.builtin
  [ -n "$found" ] || ! modprobe -n -q -- "$name" 2>/dev/null || found=loadable
  if [ -n "$found" ]; then say "$name" "$found"; else unknown="$unknown $feature"; fi
done
[ -n "$unknown" ] || return 0
pattern=
for feature in $unknown; do rest=\${feature#*,}; pattern="$pattern|\${rest%%,*}"; done
symbols=" $(grep -owE -- "\${pattern#|}" /proc/kallsyms 2>/dev/null | sort -u | tr '\\n' ' ')"
for feature in $unknown; do
  name=\${feature%%,*} rest=\${feature#*,} symbol=\${rest%%,*} type=\${feature##*,}
  case $symbols in
    *" $symbol "*) say "$name" "/proc/kallsyms $symbol" ;;
    *)
      if [ "$type" != - ] && unshare -n ip link add kwprobe type $(printf %s "$type" | tr + ' ') 2>/dev/null; then
        say "$name" "the kernel made an interface"
      fi
      ;;
  esac
done`,
    args: (of) =>
      runsPods(of.host)
        ? featuresOf(of).map(({ name, symbol, sign, linkType }) =>
            [name, symbol, sign ?? '-', linkType?.replaceAll(' ', '+') ?? '-'].join(','),
          )
        : null,
  },
  evaluate({ cluster, host, facts }, rows) {
    const found = new Set(rows.map(([name]) => name));
    return featuresOf({ cluster, host })
      .filter(({ name }) => !found.has(name))
      .map(({ name, symbol, reason }) => ({
        code: 'KERNEL_FEATURE_MISSING' as const,
        message: `the kernel has no ${name}, wanted for: ${reason}`,
        evidence: `Linux ${facts.kernel}: ${name} is neither loaded nor built in (/proc/modules, /sys/module, modules.builtin, symbol ${symbol}) nor loadable (modprobe -n)`,
      }));
  },
});
