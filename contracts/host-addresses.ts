import type { ClusterSpec } from './cluster.ts';
import type { Host } from './host.ts';
import { ipv4, rangeOf } from './primitives.ts';

/** One way in which a host of a cluster is a machine of the network. */
export interface HostAddress {
  /** Name in the spec. */
  host: string;
  /** `address:port` of the bastion that gives the address its meaning; empty: the worker's own network. */
  via: string;
  /** IPv4 address or DNS name, as in the spec: both have one form only. */
  address: string;
  /** 0: whatever the port. */
  port: number;
}

/**
 * Where a host is: its address with the port of its SSH server, for a router may lead two ports to two machines; and its
 * internal address, if it has one of its own, with any port. An internal address of the loopback is left out: it names no machine. Pure.
 */
export function hostAddresses(cluster: ClusterSpec, host: Host): HostAddress[] {
  const { address } = host;
  const { port = 22, jump } = { ...cluster.spec.ssh, ...host.ssh };
  const via = jump === undefined ? '' : `${jump.address}:${jump.port}`;
  const internal = host.internalAddress;
  const own = internal !== undefined && internal !== address && !isLoopback(internal);
  return [
    { host: host.name, via, address, port },
    ...(own ? [{ host: host.name, via, address: internal, port: 0 }] : []),
  ];
}

const isLoopback = (text: string): boolean =>
  text === 'localhost' || (ipv4.safeParse(text).success && rangeOf(text) === 'loopback');

/** Is it the same machine? Addresses behind different bastions cannot be compared. Pure. */
export const samePlace = (one: HostAddress, other: Omit<HostAddress, 'host'>): boolean =>
  one.via === other.via &&
  one.address === other.address &&
  (one.port === other.port || one.port === 0 || other.port === 0);
