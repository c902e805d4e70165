import { type ClusterSpec, hostsWithRole, internalAddress, NODE_CIDR_MASK_SIZE } from '../../contracts/cluster.ts';
import type { Host } from '../../contracts/host.ts';
import { cidrAddress, ipv4 } from '../../contracts/primitives.ts';
import { API_SERVERS_HOSTNAME } from './paths.ts';

/** ClusterIP of the service `kubernetes`: the API server takes the first address of the range. */
export const apiServiceAddress = (cluster: ClusterSpec): string => cidrAddress(cluster.spec.network.serviceCidr, 1);
/** ClusterIP of the cluster's DNS, by custom the tenth address. */
export const dnsServiceAddress = (cluster: ClusterSpec): string => cidrAddress(cluster.spec.network.serviceCidr, 10);
/** Prefix length of every node's part of the pod range. */
export const nodeCidrBits = ({ spec }: ClusterSpec): number => spec.network.nodeCidrMaskSize ?? NODE_CIDR_MASK_SIZE;

/**
 * Where hosts reach the API servers without a load balancer: the one control plane, or a name for all of them: a client
 * tries its addresses in turn, so none of them is special. The first control plane where their addresses are DNS names,
 * which /etc/hosts cannot take.
 */
export const apiServersHost = (cluster: ClusterSpec): string =>
  hasApiServersName(cluster) ? API_SERVERS_HOSTNAME : internalAddress(hostsWithRole(cluster, 'control-plane')[0]!);

/** Several control planes, all of them with addresses that /etc/hosts can say. */
export function hasApiServersName(cluster: ClusterSpec): boolean {
  const all = hostsWithRole(cluster, 'control-plane');
  return all.length > 1 && all.every((each) => internalIpv4(each) !== undefined);
}

/**
 * The addresses behind the name for all API servers in the order in which a host tries them: its own first; other hosts
 * begin with different ones.
 */
export function apiServersInTurn(cluster: ClusterSpec, host: Host): string[] {
  const all = hostsWithRole(cluster, 'control-plane').map(internalAddress);
  const own = all.indexOf(internalAddress(host));
  const place = cluster.spec.hosts.findIndex(({ name }) => name === host.name);
  const start = own >= 0 ? own : place % all.length;
  return [...all.slice(start), ...all.slice(0, start)];
}

/** The host's address inside the cluster, where it is known before a name is resolved. */
export function internalIpv4(host: Host): string | undefined {
  const address = internalAddress(host);
  return ipv4.safeParse(address).success ? address : undefined;
}

/** True when pods of users run there: a control plane alone is kept free by a taint. */
export const isWorker = (host: Host): boolean => host.roles.includes('worker');
export const isControlPlane = (host: Host): boolean => host.roles.includes('control-plane');
