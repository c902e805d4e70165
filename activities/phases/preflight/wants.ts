import { type ClusterSpec, hostsWithRole, internalAddress, sshTarget } from '../../../contracts/cluster.ts';
import type { Host, Role } from '../../../contracts/host.ts';
import { kubeChoices } from '../../kube/choices.ts';
import * as paths from '../../kube/paths.ts';

/** A kernel feature: how the probe script recognises it, and what it is wanted for. */
export interface Feature {
  name: string;
  /** A symbol that the kernel has when the feature is built in or loaded. */
  symbol: string;
  /** A path that exists only with the feature. */
  sign: string | null;
  /** Words after `ip link add NAME type`, when it is an interface type. */
  linkType: string | null;
  reason: string;
}

/** Hosts of which this one must reach at least `least`. */
export interface PeerGroup {
  what: string;
  /** address:port */
  peers: string[];
  least: number;
}

/** What the plan wants of one host. */
export interface Wants {
  features: Feature[];
  /** Port → the binary of ours that may hold it. */
  ports: ReadonlyMap<number, string>;
  peers: PeerGroup[];
  kube: boolean;
  cgroupV1Allowed: boolean;
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

/** Pure: what this host's roles and the chosen options come down to. */
export function wantsOf(cluster: ClusterSpec, host: Host): Wants {
  const has = (role: Role) => host.roles.includes(role);
  const kube = has('worker') || has('control-plane');
  const choices = kubeChoices(cluster, host);
  const ports = new Map<number, string>();
  const port = (binary: string, ...numbers: number[]) => {
    for (const number of numbers) ports.set(number, `${paths.BIN_DIR}/${binary}`);
  };
  if (has('etcd')) port('etcd', paths.ETCD_CLIENT_PORT, paths.ETCD_PEER_PORT);
  if (has('registry')) port('registry', paths.REGISTRY_PORT);
  if (has('control-plane')) {
    port('kube-apiserver', paths.API_SERVER_PORT);
    port('kube-controller-manager', paths.CONTROLLER_MANAGER_PORT);
    port('kube-scheduler', paths.SCHEDULER_PORT);
  }
  if (kube) {
    port('kubelet', paths.KUBELET_PORT, paths.KUBELET_HEALTH_PORT);
    port('kube-proxy', paths.KUBE_PROXY_METRICS_PORT, paths.KUBE_PROXY_HEALTH_PORT);
  }
  const chosen = [PROXY[choices.proxyMode], FLANNEL[choices.flannelBackend]].filter((each) => each !== undefined);
  return {
    features: kube ? [...KUBE_FEATURES, ...chosen] : [],
    ports,
    peers: peerGroups(cluster, host),
    kube,
    cgroupV1Allowed: choices.cgroupV1Allowed,
  };
}

/**
 * Whom the host cannot do without. A majority is enough of control planes and etcd members, and no worker is in it: one
 * dead host stops its own tasks, not everybody's.
 */
function peerGroups(cluster: ClusterSpec, host: Host): PeerGroup[] {
  const group = (role: Role, what: string, least: (count: number) => number): PeerGroup[] => {
    const all = hostsWithRole(cluster, role);
    const others = all.filter((each) => each.name !== host.name);
    // The host reaches itself.
    const needed = least(all.length) - (all.length - others.length);
    if (others.length === 0 || needed <= 0) return [];
    const peers = others.map((each) => `${internalAddress(each)}:${sshTarget(cluster, each).port}`);
    return [{ what, peers, least: needed }];
  };
  const majority = (count: number) => Math.floor(count / 2) + 1;
  return [
    ...group('control-plane', 'control planes', majority),
    ...(host.roles.includes('etcd') || host.roles.includes('control-plane')
      ? group('etcd', 'etcd members', majority)
      : []),
    ...group('registry', 'registry host', () => 1),
    ...group('time-server', 'time servers', () => 1),
  ];
}
