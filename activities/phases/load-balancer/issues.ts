import { type ClusterSpec, internalAddress } from '../../../contracts/cluster.ts';
import { type FieldIssue, formatPath } from '../../../contracts/issues.ts';
import { cidrContains, ipv4 } from '../../../contracts/primitives.ts';
import { endpointHost } from '../capabilities/control-plane-endpoint.ts';
import type { BalancerOptions } from './options.ts';
import { balancersOf, hostOf, isOfHost, virtualAddress } from './topology.ts';

/** The certificates of the API servers name each of them. */
const MAX_BALANCERS = 16;
const HOST = 'spec.controlPlane.endpoint.host';
const OPTIONS = 'spec.phases.load-balancer';
const isIpv4 = (text: string): boolean => ipv4.safeParse(text).success;

/** What of a spec does not go together with balancers. Pure. */
export function balancerIssues({ cluster, options }: { cluster: ClusterSpec; options: BalancerOptions }): FieldIssue[] {
  const balancers = balancersOf(cluster);
  if (balancers.length === 0) {
    return [{ path: 'spec.hosts', message: 'no host has the role load-balancer, which provider load-balancer needs' }];
  }
  if (balancers.length > MAX_BALANCERS) {
    const message = `${balancers.length} hosts have the role load-balancer; at most ${MAX_BALANCERS}`;
    return [{ path: 'spec.hosts', message }];
  }
  return [...endpointIssues(cluster, options), ...addressIssues(cluster, options), ...hostIssues(cluster, options)];
}

/** Whether clients reach every balancer by the endpoint. */
function endpointIssues(cluster: ClusterSpec, options: BalancerOptions): FieldIssue[] {
  const host = hostOf(cluster, options);
  const count = balancersOf(cluster).length;
  if (host === undefined) {
    const message = `is required with ${count} load balancers: a virtual address that they share, or a DNS name`;
    return [{ path: HOST, message }];
  }
  const address = virtualAddress(cluster, options);
  if (address !== null || !isIpv4(host)) return [];
  if (!isOfHost(cluster, host)) {
    const message = `${host} is the address of no host, and keepalived, which would hold it, is off`;
    return [{ path: `${OPTIONS}.keepalived.enabled`, message }];
  }
  if (!balancersOf(cluster).some((each) => each.address === host || internalAddress(each) === host)) {
    return [{ path: HOST, message: `${host} is the address of a host without the role load-balancer` }];
  }
  if (count === 1) return [];
  const message = `${host} is the address of one host: with ${count} load balancers it must be a virtual address that no host has, or a DNS name for all of them`;
  return [{ path: HOST, message }];
}

/** Whether the virtual address can move between the balancers. */
function addressIssues(cluster: ClusterSpec, options: BalancerOptions): FieldIssue[] {
  const path = options.keepalived.address === undefined ? HOST : `${OPTIONS}.keepalived.address`;
  const address = virtualAddress(cluster, options);
  if (address === null) {
    if (options.keepalived.enabled !== true) return [];
    const message = `there is no virtual address: give it, or an IPv4 address that no host has as ${HOST}`;
    return [{ path: `${OPTIONS}.keepalived.address`, message }];
  }
  const host = endpointHost(cluster);
  const issues: FieldIssue[] = [];
  if (isOfHost(cluster, address)) issues.push({ path, message: `${address} is the address of a host` });
  if (host !== undefined && isIpv4(host) && host !== address) {
    issues.push({ path, message: `${address} is not ${HOST} (${host}): clients would not use it` });
  }
  for (const field of ['podCidr', 'serviceCidr'] as const) {
    const range = cluster.spec.network[field];
    if (cidrContains(range, address)) issues.push({ path, message: `${address} is in spec.network.${field} ${range}` });
  }
  return issues;
}

/** What differs between hosts, and what VRRP needs of each. */
function hostIssues(cluster: ClusterSpec, options: BalancerOptions): FieldIssue[] {
  const moves = virtualAddress(cluster, options) !== null;
  return cluster.spec.hosts.flatMap((host, index) => {
    const { keepalived, ...others } = host.phases['load-balancer'] ?? {};
    const inner = typeof keepalived === 'object' && keepalived !== null ? Object.keys(keepalived) : [];
    const shared = [
      ...Object.keys(others),
      ...inner.filter((key) => key !== 'interface').map((key) => `keepalived.${key}`),
    ];
    const place = (...rest: string[]) => formatPath(['spec', 'hosts', index, ...rest]);
    return [
      ...shared.map((key) => ({
        path: place('phases', 'load-balancer', ...key.split('.')),
        message: `is the same for all load balancers: set ${OPTIONS}.${key}`,
      })),
      ...(moves && host.roles.includes('load-balancer') && !isIpv4(internalAddress(host))
        ? [{ path: place('internalAddress'), message: 'must be an IPv4 address: VRRP sends to it' }]
        : []),
    ];
  });
}
