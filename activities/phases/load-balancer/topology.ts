import { createHash } from 'node:crypto';
import { type ClusterSpec, hostsWithRole, internalAddress } from '../../../contracts/cluster.ts';
import type { Host } from '../../../contracts/host.ts';
import { ipv4 } from '../../../contracts/primitives.ts';
import { API_SERVER_PORT } from '../../kube/paths.ts';
import { endpointHost } from '../capabilities/control-plane-endpoint.ts';
import type { BalancerOptions } from './options.ts';

/** Hosts of a role by name and address. */
export interface Server {
  name: string;
  address: string;
}

export const balancersOf = (cluster: ClusterSpec): Host[] => hostsWithRole(cluster, 'load-balancer');

export const portOf = ({ spec }: ClusterSpec): number => spec.controlPlane?.endpoint?.port ?? API_SERVER_PORT;

/** The API servers, in the order of the spec. */
export const apiServersOf = (cluster: ClusterSpec): Server[] =>
  hostsWithRole(cluster, 'control-plane').map((host) => ({ name: host.name, address: internalAddress(host) }));

const isIpv4 = (text: string): boolean => ipv4.safeParse(text).success;

/** True when a host of the cluster has the address already. */
export const isOfHost = ({ spec }: ClusterSpec, address: string): boolean =>
  spec.hosts.some((host) => host.address === address || internalAddress(host) === address);

/** The address that moves between the balancers; null: none does. Pure. */
export function virtualAddress(cluster: ClusterSpec, { keepalived }: BalancerOptions): string | null {
  if (keepalived.enabled === false) return null;
  if (keepalived.address !== undefined) return keepalived.address;
  const host = endpointHost(cluster);
  return host !== undefined && isIpv4(host) && !isOfHost(cluster, host) ? host : null;
}

/** Where clients connect: what the spec says, the virtual address, or the only balancer. Pure. */
export function hostOf(cluster: ClusterSpec, options: BalancerOptions): string | undefined {
  const given = endpointHost(cluster) ?? virtualAddress(cluster, options);
  if (given !== null) return given;
  const [only, ...others] = balancersOf(cluster);
  return only && others.length === 0 ? internalAddress(only) : undefined;
}

/** VRRP's router id: the same for the same cluster and address, and rarely that of another cluster on the segment. Pure. */
export function routerIdOf(cluster: ClusterSpec, address: string, { keepalived }: BalancerOptions): number {
  if (keepalived.routerId !== undefined) return keepalived.routerId;
  const digest = createHash('sha256').update(`${cluster.metadata.name}\n${address}`).digest();
  return (digest.readUInt32BE(0) % 255) + 1;
}

/**
 * The first balancer of the spec is preferred; 255 would be the owner of the address. High ones: after a holder that resigns the
 * next one waits (256 - priority) / 256 of an interval, in which a lost SYN costs a client a second.
 */
const FIRST_PRIORITY = 254;
/** Enough that two balancers that start together do not both take the address. */
const STEP = 5;

/** VRRP's priority of a balancer, different for each. Pure. */
export function priorityOf(cluster: ClusterSpec, host: Host): number {
  return FIRST_PRIORITY - STEP * balancersOf(cluster).findIndex(({ name }) => name === host.name);
}

/** Names for the certificates of the API servers: clients come by each of them, and the balancers test themselves. Pure. */
export function certificateNamesOf(cluster: ClusterSpec, options: BalancerOptions): string[] {
  const address = virtualAddress(cluster, options);
  const host = hostOf(cluster, options);
  const own = balancersOf(cluster).flatMap((each) => [each.name, internalAddress(each)]);
  return [...new Set([...(host === undefined ? [] : [host]), ...(address === null ? [] : [address]), ...own])];
}
