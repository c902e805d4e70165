import { type ClusterSpec, hostsWithRole, internalAddress, kubeHosts } from '../../contracts/cluster.ts';
import type { Host, Role } from '../../contracts/host.ts';
import { ipv4 } from '../../contracts/primitives.ts';
import { METRICS_PORT } from '../phases/metrics/manifests.ts';
import { rawPhaseOptions } from '../phases/options.ts';
import { kubeChoices } from './choices.ts';
import * as paths from './paths.ts';

/** Packets that a host's firewall must let in for the cluster to work. */
export interface Opening {
  protocol: 'tcp' | 'udp';
  port: number;
  /** What listens there. */
  what: string;
  /** Who asks, as IPv4 addresses and ranges, each once. */
  sources: readonly string[];
}

/** Packets that a host must pass on: from and to are IPv4 addresses or ranges; null: any. */
export interface Passage {
  from: string;
  to: string | null;
  /** From the cluster's own pods and hosts. */
  inside: boolean;
}

export interface FirewallNeeds {
  openings: readonly Opening[];
  passages: readonly Passage[];
}

/** The options under `spec.phases.prepare.firewall`, as preflight and prepare read them. */
export interface FirewallOptions {
  mode: 'open' | 'leave';
  /** Ranges beyond the cluster from which the API servers are reached. */
  apiFrom: readonly string[];
  /** Ranges beyond the cluster from which services of type NodePort are reached. */
  nodePortsFrom: readonly string[];
}

/** NTP. */
const TIME_PORT = 123;
/** flannel's backend udp (pkg/backend/udp). */
const FLANNEL_UDP_PORT = 8285;

/** The firewall options of a host as written in the spec; the phase `prepare` checks them. */
export function firewallOptions(cluster: ClusterSpec, host: Host): FirewallOptions {
  const given = (rawPhaseOptions(cluster, 'prepare', host)['firewall'] ?? {}) as Partial<FirewallOptions>;
  return { mode: given.mode ?? 'open', apiFrom: given.apiFrom ?? [], nodePortsFrom: given.nodePortsFrom ?? [] };
}

/** What a host's firewall must let in and pass on, by its roles. Hosts that are known by a DNS name alone are left out. Pure. */
export function firewallNeeds(cluster: ClusterSpec, host: Host): FirewallNeeds {
  const { podCidr } = cluster.spec.network;
  const { apiFrom, nodePortsFrom } = firewallOptions(cluster, host);
  const { flannelBackend } = kubeChoices(cluster, host);
  const has = (role: Role) => host.roles.includes(role);
  const addresses = (hosts: readonly Host[]) =>
    hosts
      .filter(({ name }) => name !== host.name)
      .map(internalAddress)
      .filter((address) => ipv4.safeParse(address).success);
  const all = addresses(cluster.spec.hosts);
  const nodes = addresses(kubeHosts(cluster));
  const masters = addresses(hostsWithRole(cluster, 'control-plane'));
  const members = addresses(hostsWithRole(cluster, 'etcd'));
  const isNode = has('worker') || has('control-plane');

  const openings: Opening[] = [];
  const open = (protocol: 'tcp' | 'udp', port: number, what: string, ...sources: (readonly string[])[]) =>
    openings.push({ protocol, port, what, sources: [...new Set(sources.flat())] });
  if (has('etcd')) {
    open('tcp', paths.ETCD_CLIENT_PORT, 'etcd', members, masters);
    open('tcp', paths.ETCD_PEER_PORT, 'etcd', members);
  }
  if (has('control-plane')) open('tcp', paths.API_SERVER_PORT, 'kube-apiserver', all, [podCidr], apiFrom);
  if (isNode) {
    // Pods reach the kubelets of other nodes under the address of their own.
    open('tcp', paths.KUBELET_PORT, 'kubelet', nodes, [podCidr]);
    open('tcp', METRICS_PORT, 'metrics-server', masters);
    if (flannelBackend === 'vxlan') {
      const port = rawPhaseOptions(cluster, 'flannel', host)['vxlanPort'];
      open('udp', typeof port === 'number' ? port : paths.FLANNEL_VXLAN_PORT, 'flannel', nodes);
    }
    if (flannelBackend === 'udp') open('udp', FLANNEL_UDP_PORT, 'flannel', nodes);
  }
  if (has('registry')) open('tcp', paths.REGISTRY_PORT, 'registry', all);
  if (has('time-server')) open('udp', TIME_PORT, 'chronyd', all);

  const passages: Passage[] = isNode
    ? [
        { from: podCidr, to: null, inside: true },
        // Without an overlay, answers and NodePort traffic of other nodes carry their own addresses.
        ...(flannelBackend === 'host-gw' ? nodes : []).map((from) => ({ from, to: podCidr, inside: true })),
        ...nodePortsFrom.map((from) => ({ from, to: podCidr, inside: false })),
      ]
    : [];
  return { openings: openings.filter(({ sources }) => sources.length > 0), passages };
}

/** The openings by source: for each of them its ports of one protocol, ascending. Pure. */
export function portsBySource(
  openings: readonly Opening[],
): { source: string; protocol: 'tcp' | 'udp'; ports: number[]; what: string }[] {
  const found = new Map<string, { source: string; protocol: 'tcp' | 'udp'; ports: Map<number, string> }>();
  for (const { protocol, port, what, sources } of openings) {
    for (const source of sources) {
      const key = `${protocol} ${source}`;
      const entry = found.get(key) ?? { source, protocol, ports: new Map<number, string>() };
      entry.ports.set(port, what);
      found.set(key, entry);
    }
  }
  return [...found.values()].map(({ ports, ...rest }) => ({
    ...rest,
    ports: [...ports.keys()].sort((a, b) => a - b),
    what: [...new Set(ports.values())].join(', '),
  }));
}
