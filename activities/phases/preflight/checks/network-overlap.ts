import { cidr, cidrsOverlap, ipv4 } from '../../../../contracts/primitives.ts';
import { OURS } from '../../../leftovers/scripts.ts';
import { runsPods } from '../../placement.ts';
import { defineCheck } from '../check.ts';

/** Links of a pod network: what has routes there is named by the check `leftovers`, or is ours. */
const OF_NETWORKS = /^(cni0|flannel\S*|cali\S*|kube-ipvs0|vxlan\.calico|kube-bridge|weave|cilium_\S*)$/;

export default defineCheck({
  name: 'network-overlap',
  about: 'network',
  title: 'Routes into the ranges of the cluster',
  inspects:
    'IPv4 routes of all tables, also of VPNs and of bridges of Docker or libvirt, that overlap `spec.network.podCidr`, `serviceCidr`, or a range that a phase uses on its hosts; on control planes and workers where Kubewright has not placed a kubelet before.',
  codes: ['NETWORK_OVERLAPS'],
  probe: {
    script: `
${OURS}
! ours kubelet.service || return 0
ip -4 -o route show table all 2>/dev/null | head -n 1500 | while read -r to rest; do
  case $to in
    default | broadcast | multicast | unreachable | blackhole | prohibit | throw) continue ;;
    local) to=\${rest%% *} ;;
  esac
  say "$to" "$rest"
done`,
    args: ({ host }) => (runsPods(host) ? [] : null),
  },
  evaluate({ cluster, requirements }, rows) {
    const { podCidr, serviceCidr } = cluster.spec.network;
    const ranges: (readonly [field: string, range: string])[] = [
      ['spec.network.podCidr', podCidr],
      ['spec.network.serviceCidr', serviceCidr],
      ...requirements.flatMap((each) => (each.ranges ?? []).map(({ field, range }) => [field, range] as const)),
    ];
    const seen = new Set<string>();
    return rows.flatMap(([to = '', rest = '']) => {
      const range = ipv4.safeParse(to).success ? `${to}/32` : to;
      const device = /(?:^| )dev (\S+)/.exec(rest)?.[1] ?? '';
      // A route for half of all addresses is a VPN's default route: what is more exact wins over it.
      if (!cidr.safeParse(range).success || Number(range.split('/')[1]) < 2 || OF_NETWORKS.test(device)) return [];
      return ranges.flatMap(([name, value]) => {
        // One problem for each link and range: its own address has a route too.
        if (!cidrsOverlap(range, value) || seen.has(`${device} ${name}`)) return [];
        seen.add(`${device} ${name}`);
        return [
          {
            code: 'NETWORK_OVERLAPS' as const,
            message: `the route ${to}${device === '' ? '' : ` on ${device}`} overlaps ${name} ${value}`,
            evidence: `ip route show table all: ${to} ${rest}`.trim(),
          },
        ];
      });
    });
  },
});
