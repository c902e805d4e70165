import { z } from 'zod';
import { type ClusterSpec, hostsWithRole, internalAddress } from '../../../contracts/cluster.ts';
import type { ClientCertificateUse } from '../../../contracts/credential-use.ts';
import type { Host } from '../../../contracts/host.ts';
import { hostname } from '../../../contracts/primitives.ts';
import { internalIpv4 } from '../../kube/network.ts';
import { ETCD_CLIENT_PORT, ETCD_PEER_PORT } from '../../kube/paths.ts';
import type { RequiredSrv, Requirements } from '../requires.ts';
import { byEndpoints, discoveryOption } from './discovery-option.ts';
import { endpointPlaces, externalBootstrap } from './external.ts';
import type { EtcdPeer } from './members.ts';

/** How the first members find each other. A member that has data does not ask any more. */
export const bootstrapOption = z
  .discriminatedUnion('mode', [
    z.strictObject({ mode: z.literal('static').describe('Each member has the list of all members') }),
    z.strictObject({
      mode: z.literal('dns-srv').describe('The members are the targets of SRV records'),
      domain: hostname.describe(
        'The records are _etcd-server-ssl._tcp.<domain> and _etcd-client-ssl._tcp.<domain>; their targets are <host>.<domain>, one for each etcd host, with its address',
      ),
      service: z
        .string()
        .regex(/^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/, 'must be lower-case letters, digits and -, 15 at most')
        .optional()
        .describe('The records are _etcd-server-ssl-<service>._tcp.<domain>, for several clusters of one domain'),
    }),
    discoveryOption,
    externalBootstrap,
  ])
  // Without a default: hosts of earlier versions carry a digest of the options.
  .optional()
  .describe('How the first members find each other; default: static');
export type Bootstrap = z.output<typeof bootstrapOption>;

/** The name by which peers reach the member of a host: its target of the SRV records; null: its address. */
export const peerName = (host: Host, bootstrap: Bootstrap): string | null =>
  bootstrap?.mode === 'dns-srv' ? `${host.name}.${bootstrap.domain}` : null;

/** The member of a host, by the spec. */
export const etcdPeer = (host: Host, bootstrap: Bootstrap): EtcdPeer => ({
  name: host.name,
  peerUrl: `https://${peerName(host, bootstrap) ?? internalAddress(host)}:${ETCD_PEER_PORT}`,
  clientUrl: `https://${internalAddress(host)}:${ETCD_CLIENT_PORT}`,
});

/** Names for the certificates of a member: etcd compares those of its peers with the domain. */
export const bootstrapNames = (host: Host, bootstrap: Bootstrap): string[] =>
  bootstrap?.mode === 'dns-srv' ? [bootstrap.domain, `${host.name}.${bootstrap.domain}`] : [];

/** Environment of a founder beside token and state. */
export function bootstrapEnvironment(
  bootstrap: Bootstrap,
  members: readonly { name: string; peerUrl: string }[],
): Record<string, string> {
  if (bootstrap?.mode === 'dns-srv') {
    const { domain, service } = bootstrap;
    return { ETCD_DISCOVERY_SRV: domain, ...(service === undefined ? {} : { ETCD_DISCOVERY_SRV_NAME: service }) };
  }
  return { ETCD_INITIAL_CLUSTER: members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',') };
}

/** The SRV records that a host without data has to see before anything starts. Pure. */
export function bootstrapRecords(cluster: ClusterSpec, bootstrap: Bootstrap, dataDir: string): RequiredSrv[] {
  if (bootstrap?.mode !== 'dns-srv') return [];
  const suffix = bootstrap.service === undefined ? '' : `-${bootstrap.service}`;
  const records = (kind: string, port: number): RequiredSrv => ({
    name: `_etcd-${kind}-ssl${suffix}._tcp.${bootstrap.domain}`,
    targets: hostsWithRole(cluster, 'etcd').map((host) => ({
      host: `${host.name}.${bootstrap.domain}`,
      port,
      address: internalIpv4(host) ?? null,
    })),
    unless: `${dataDir}/member`,
    reason: `the first members of etcd (bootstrap dns-srv, ${bootstrap.domain})`,
  });
  return [records('server', ETCD_PEER_PORT), records('client', ETCD_CLIENT_PORT)];
}

/** The client certificate that a bootstrap shows, and where: founders to discovery, API servers to an external etcd; none: null. Pure. */
export function bootstrapCertificate(bootstrap: Bootstrap): ClientCertificateUse | null {
  if (bootstrap?.mode === 'external') return { credential: bootstrap.credential, places: endpointPlaces(bootstrap) };
  if (bootstrap?.mode !== 'discovery' || !byEndpoints(bootstrap) || !bootstrap.credential) return null;
  const places = bootstrap.endpoints.map((endpoint) => {
    const { hostname, port, protocol } = new URL(endpoint);
    return { host: hostname, port: Number(port || (protocol === 'https:' ? 443 : 80)) };
  });
  return { credential: bootstrap.credential, places };
}

/** What a host without data checks about discovery before anything starts, while the cluster's etcd has not formed. Pure. */
export function bootstrapDiscovery(
  cluster: ClusterSpec,
  { bootstrap, dataDir }: { bootstrap?: Bootstrap; dataDir: string },
  formed: string,
): Pick<Requirements, 'discovery' | 'certificates'> {
  if (bootstrap?.mode !== 'discovery') return {};
  const { endpoints = [], token = '', url, credential } = bootstrap;
  const certificate = bootstrapCertificate(bootstrap);
  return {
    ...(certificate ? { certificates: [{ ...certificate, until: formed }] } : {}),
    discovery: {
      ...{ endpoints, token, credential: credential?.name ?? null, until: formed },
      ...(url === undefined ? {} : { url }),
      founders: hostsWithRole(cluster, 'etcd').map((host) => etcdPeer(host, bootstrap)),
      unless: `${dataDir}/member`,
    },
  };
}
