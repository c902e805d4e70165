import { type ClusterSpec, hostsWithRole, internalAddress } from '../../../contracts/cluster.ts';
import type { Host } from '../../../contracts/host.ts';
import type { RequiredPort } from '../requires.ts';
import { DEFAULT_POOL, serversOf, type TimeOptions, type TimeServer } from './options.ts';

/** Whom the time daemon of one host follows, and whom it answers. */
export interface TimeSources {
  /** Time servers of the cluster that this host follows; empty on a time server itself. */
  cluster: readonly string[];
  /** Other time servers of the cluster, when this host is one and not alone. */
  peers: readonly string[];
  /** Servers of the spec. */
  servers: readonly TimeServer[];
  pools: readonly string[];
  /** Addresses and networks that may ask this host; empty = it is no server. */
  allow: readonly string[];
}

/**
 * Hosts follow the time servers of the cluster, and those the servers and pools of the spec; all hosts do where no host has the
 * role. Pure.
 */
export function sourcesOf(cluster: ClusterSpec, host: Host, options: TimeOptions): TimeSources {
  const all = hostsWithRole(cluster, 'time-server');
  const isServer = all.some(({ name }) => name === host.name);
  const others = all.filter(({ name }) => name !== host.name).map(internalAddress);
  if (all.length > 0 && !isServer) return { cluster: others, peers: [], servers: [], pools: [], allow: [] };
  const servers = serversOf(options);
  const { allow } = options;
  return {
    cluster: [],
    peers: isServer ? others : [],
    servers,
    pools: options.pools ?? (servers.length > 0 ? [] : [DEFAULT_POOL]),
    allow: !isServer ? [] : allow === undefined ? cluster.spec.hosts.map(internalAddress) : [allow].flat(),
  };
}

/** What a host has to follow: a pool may be out of reach for good, and time servers then keep the cluster together. Pure. */
export const mustFollow = ({ cluster, servers }: TimeSources): string[] => [
  ...cluster,
  ...servers.map(({ address }) => address),
];

/** NTP of the time servers. */
export const ntpPort = (daemon: string): RequiredPort => ({
  protocol: 'udp',
  port: 123,
  what: daemon,
  from: ['all'],
  on: 'time-server',
});
