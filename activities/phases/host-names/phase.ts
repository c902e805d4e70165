import { z } from 'zod';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import type { Host } from '../../../contracts/host.ts';
import type { FieldIssue } from '../../../contracts/issues.ts';
import { apiServersHost, apiServersInTurn, hasApiServersName } from '../../kube/network.ts';
import { API_SERVER_PORT, API_SERVERS_HOSTNAME } from '../../kube/paths.ts';
import { type HostsEntry, hostsEntries } from '../../resources/hosts-entries.ts';
import { controlPlaneEndpoint } from '../capabilities/control-plane-endpoint.ts';
import { definePhase } from '../phase.ts';

/**
 * Several API servers without a load balancer: one name for all of them in /etc/hosts, whose addresses a client tries in turn.
 * A single control plane is reached by its address.
 */
export default definePhase({
  name: 'host-names',
  title: 'Names of API servers',
  hosts: 'all',
  offers: [
    controlPlaneEndpoint.offer(({ cluster }) => ({
      host: apiServersHost(cluster),
      port: API_SERVER_PORT,
      forClients: false,
      certificateNames: [],
      drainSeconds: 0,
    })),
  ],
  dependsOnAddressesOf: ['control-plane'],
  // A name does not know which of its addresses serve: a new one comes in when its API server does.
  disrupts: 'endpoint',
  needs: [{ phase: 'prepare', on: 'same-host' }],
  timeouts: { applyMs: 60_000, verifyMs: 10_000 },
  expectedMs: 200,
  options: z.strictObject({}),
  isIdle: (cluster) => !hasApiServersName(cluster),
  specIssues: ({ cluster }) => ofItsOwn(cluster),
  resources: ({ cluster, host }) =>
    hasApiServersName(cluster) ? [hostsEntries(apiServersName(cluster, host), { block: 'host-names' })] : [],
});

/** A line per API server, for resolvers take the addresses of a name in the order of its lines. */
const apiServersName = (cluster: ClusterSpec, host: Host): HostsEntry[] =>
  apiServersInTurn(cluster, host).map((address) => ({ address, names: [API_SERVERS_HOSTNAME] }));

/** Name and port are those of the API servers themselves. */
function ofItsOwn({ spec }: ClusterSpec): FieldIssue[] {
  const { host, port } = spec.controlPlane?.endpoint ?? {};
  const path = (field: string) => `spec.controlPlane.endpoint.${field}`;
  return [
    ...(host === undefined
      ? []
      : [{ path: path('host'), message: `is ${API_SERVERS_HOSTNAME} with provider host-names` }]),
    ...(port === undefined || port === API_SERVER_PORT
      ? []
      : [{ path: path('port'), message: `is ${API_SERVER_PORT} with provider host-names` }]),
  ];
}
