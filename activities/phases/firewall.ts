import { type ClusterSpec, internalAddress } from '../../contracts/cluster.ts';
import type { Host } from '../../contracts/host.ts';
import { ipv4 } from '../../contracts/primitives.ts';
import type { FirewallNeeds, Opening, Passage } from '../resources/firewall-needs.ts';
import type { PhaseHosts } from './phase.ts';
import { placementOf } from './placement.ts';
import type { PacketSource, PhaseRequirements } from './requires.ts';

/** Ranges beyond the cluster, as the spec allows them. */
export interface OutsideClients {
  /** Those that reach the API servers. */
  apiFrom: readonly string[];
  /** Those that reach services of type NodePort. */
  nodePortsFrom: readonly string[];
}

/** Rules stand in the order of the hosts that open them, as they always did: a changed order would be a changed state. */
const ORDER: readonly PhaseHosts[] = [
  ...['etcd', 'control-plane', 'one-control-plane', 'nodes', 'worker', 'all'],
  ...['registry', 'time-server', 'load-balancer', 'entry'],
] as PhaseHosts[];

/**
 * What a host's firewall must let in and pass on, by what the phases require on it. Hosts that are known by a DNS name alone
 * are left out. Pure.
 */
export function firewallNeeds(
  cluster: ClusterSpec,
  host: Host,
  requirements: readonly PhaseRequirements[],
  clients: OutsideClients,
): FirewallNeeds {
  const { podCidr } = cluster.spec.network;
  const addresses = (source: PacketSource): readonly string[] => {
    if (source === 'pods') return [podCidr];
    if (source === 'api-clients') return clients.apiFrom;
    if (source === 'node-port-clients') return clients.nodePortsFrom;
    return placementOf(cluster, source)
      .filter(({ name }) => name !== host.name)
      .map(internalAddress)
      .filter((address) => ipv4.safeParse(address).success);
  };

  const ports = requirements
    .flatMap((each) => each.ports ?? [])
    .sort(
      (a, b) =>
        ORDER.indexOf(a.on) - ORDER.indexOf(b.on) ||
        a.protocol.localeCompare(b.protocol) ||
        (a.what === b.what ? a.port - b.port : a.what < b.what ? -1 : 1),
    );
  const protocols = requirements.flatMap((each) => each.protocols ?? []);
  const openings = [...ports, ...protocols.map((each) => ({ ...each, port: null }))]
    .map(
      ({ protocol, port, what, from }): Opening => ({
        ...{ protocol, port, what },
        sources: [...new Set(from.flatMap(addresses))],
      }),
    )
    .filter(({ sources }) => sources.length > 0);

  const forwards = [...new Set(requirements.flatMap((each) => each.forwards ?? []))];
  const rank = (source: PacketSource) => (source === 'pods' ? 0 : source.endsWith('-clients') ? 2 : 1);
  const passages = forwards
    .sort((a, b) => rank(a) - rank(b))
    .flatMap((source) =>
      addresses(source).map(
        (from): Passage => ({
          from,
          to: source === 'pods' ? null : podCidr,
          inside: !source.endsWith('-clients'),
        }),
      ),
    );
  return { openings, passages };
}
