import { z } from 'zod';
import { type ClusterSpec, hostsWithRole } from '../../../contracts/cluster.ts';
import { address, port } from '../../../contracts/primitives.ts';
import { defineCapability, type GetOffer } from '../capability.ts';

/** The way by which nodes, and people, reach the API servers. */
export const controlPlaneEndpoint = defineCapability({
  name: 'control-plane-endpoint',
  choice: true,
  chosen: { field: 'spec.controlPlane.endpoint.provider', by: endpointProvider },
  data: z.strictObject({
    host: address.describe('Name or address'),
    port: port.describe('TCP port there'),
    forClients: z
      .boolean()
      .describe('Clients beyond the hosts of the cluster reach it too; false: they use the address of a control plane'),
    certificateNames: z
      .array(address)
      .max(64)
      .describe('Names and addresses that the certificates of the API servers need for it'),
    drainSeconds: z
      .int()
      .min(0)
      .max(60)
      .describe(
        'Time after which no new connection reaches an API server whose /readyz fails, seconds; 0: nothing asks /readyz',
      ),
  }),
});

/** Where kubelets, kube-proxies and other clients on the hosts reach the API servers. */
export function apiServerUrl({ offer }: { offer: GetOffer }): string {
  const { host, port } = offer(controlPlaneEndpoint);
  return `https://${host}:${port}`;
}

/** The host that the spec gives the endpoint; an option of phase master in specs up to version 0.1. */
export function endpointHost({ spec }: ClusterSpec): string | undefined {
  const given = spec.controlPlane?.endpoint?.host;
  if (given !== undefined) return given;
  const earlier = address.safeParse(spec.phases['master']?.['endpoint']);
  return earlier.data;
}

/** The phase that provides the endpoint: the one that the spec names, or the only one that fits what it gives. */
function endpointProvider(cluster: ClusterSpec): string {
  const { provider, host } = cluster.spec.controlPlane?.endpoint ?? {};
  if (provider !== undefined) return provider;
  if (host !== undefined && hostsWithRole(cluster, 'load-balancer').length > 0) return 'load-balancer';
  return endpointHost(cluster) === undefined ? 'host-names' : 'external';
}
