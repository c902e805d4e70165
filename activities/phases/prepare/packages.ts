import type { ClusterSpec } from '../../../contracts/cluster.ts';
import type { Host } from '../../../contracts/host.ts';
import { kubeChoices } from '../../kube/choices.ts';
import { rawPhaseOptions } from '../options.ts';

/** Packages by distribution family, and what they are there for. */
const BASE = {
  apt: ['ca-certificates', 'curl', 'iproute2', 'kmod', 'mount', 'procps'],
  // The RHEL family has curl from the start, as curl-minimal, which excludes the full one.
  dnf: ['ca-certificates', 'iproute', 'kmod', 'procps-ng', 'util-linux'],
};
/** kube-proxy runs nft or iptables, flannel iptables; the kubelet and kube-proxy clean up with conntrack. */
const KUBE = { apt: ['conntrack', 'iptables', 'nftables'], dnf: ['conntrack-tools', 'iptables-nft', 'nftables'] };
const IPVS = { apt: ['ipset', 'ipvsadm'], dnf: ['ipset', 'ipvsadm'] };
const CHRONY = { apt: ['chrony'], dnf: ['chrony'] };

/**
 * The distribution's packages that a host's phases will need, so that one run of the package manager serves them all.
 * Each phase still asks for its own: this saves time, nothing depends on it.
 */
export function basePackages(
  cluster: ClusterSpec,
  host: Host,
  more: readonly string[],
): { apt: string[]; dnf: string[] } {
  const kube = host.roles.includes('worker') || host.roles.includes('control-plane');
  const chrony = (rawPhaseOptions(cluster, 'chrony', host)['provider'] ?? 'chrony') === 'chrony';
  const sets = [
    BASE,
    ...(kube ? [KUBE] : []),
    ...(kube && kubeChoices(cluster, host).proxyMode === 'ipvs' ? [IPVS] : []),
    ...(chrony ? [CHRONY] : []),
    { apt: more, dnf: more },
  ];
  const union = (family: 'apt' | 'dnf') => [...new Set(sets.flatMap((set) => set[family]))].sort();
  return { apt: union('apt'), dnf: union('dnf') };
}
