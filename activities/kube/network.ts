import { type ClusterSpec, hostsWithRole, internalAddress } from '../../contracts/cluster.ts';
import type { Host } from '../../contracts/host.ts';
import { cidrAddress, ipv4 } from '../../contracts/primitives.ts';
import type { PhaseContext } from '../phases/phase.ts';
import { API_SERVER_PORT } from './paths.ts';

/** ClusterIP of the service `kubernetes`: the API server takes the first address of the range. */
export const apiServiceAddress = (cluster: ClusterSpec): string => cidrAddress(cluster.spec.network.serviceCidr, 1);
/** ClusterIP of the cluster's DNS, by custom the tenth address. */
export const dnsServiceAddress = (cluster: ClusterSpec): string => cidrAddress(cluster.spec.network.serviceCidr, 10);
/** Every node's part of the pod range: a /24, as the spec promises. */
export const NODE_CIDR_BITS = 24;

/**
 * Where kubelets, kube-proxies and flannel reach the API: the endpoint of the options of phase `master`, else the first
 * control plane.
 */
export function apiServerHost(context: Pick<PhaseContext<unknown>, 'cluster' | 'optionsOf'>): string {
  const { endpoint } = context.optionsOf<{ endpoint?: string | undefined }>('master');
  return endpoint ?? internalAddress(hostsWithRole(context.cluster, 'control-plane')[0]!);
}
export const apiServerUrl = (context: Pick<PhaseContext<unknown>, 'cluster' | 'optionsOf'>): string =>
  `https://${apiServerHost(context)}:${API_SERVER_PORT}`;

/** The host's address inside the cluster, where it is known before a name is resolved. */
export function internalIpv4(host: Host): string | undefined {
  const address = internalAddress(host);
  return ipv4.safeParse(address).success ? address : undefined;
}

/** True when pods of users run there: a control plane alone is kept free by a taint. */
export const isWorker = (host: Host): boolean => host.roles.includes('worker');
export const isControlPlane = (host: Host): boolean => host.roles.includes('control-plane');
