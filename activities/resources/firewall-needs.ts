/** IP protocols without ports that firewalls are opened for, by their names in Debian's /etc/protocols, and their numbers. */
export const PORTLESS_PROTOCOLS = { ipencap: 4, gre: 47, vrrp: 112 } as const;
export type PortlessProtocol = keyof typeof PORTLESS_PROTOCOLS;

/** Packets that a host's firewall must let in for the cluster to work. */
export interface Opening {
  protocol: 'tcp' | 'udp' | PortlessProtocol;
  /** null: of a protocol without ports. */
  port: number | null;
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

/** The openings by source: for each of them its ports of one protocol, ascending. Pure. */
export function portsBySource(
  openings: readonly Opening[],
): { source: string; protocol: 'tcp' | 'udp'; ports: number[]; what: string }[] {
  const found = new Map<string, { source: string; protocol: 'tcp' | 'udp'; ports: Map<number, string> }>();
  for (const { protocol, port, what, sources } of openings) {
    if ((protocol !== 'tcp' && protocol !== 'udp') || port === null) continue;
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

/** Who sends packets of protocols without ports: source, protocol and what for, each pair once. Pure. */
export function portlessSources(
  openings: readonly Opening[],
): { source: string; protocol: PortlessProtocol; what: string }[] {
  const found = new Map<string, { source: string; protocol: PortlessProtocol; what: string }>();
  for (const { protocol, what, sources } of openings) {
    if (protocol === 'tcp' || protocol === 'udp') continue;
    for (const source of sources) found.set(`${protocol} ${source}`, { source, protocol, what });
  }
  return [...found.values()];
}
