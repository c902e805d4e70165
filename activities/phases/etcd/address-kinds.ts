import { type ClusterSpec, internalAddress } from '../../../contracts/cluster.ts';
import { type FieldIssue, formatPath } from '../../../contracts/issues.ts';
import { internalIpv4 } from '../../kube/network.ts';

/** Where the etcd hosts are, in one text that compares. */
const placesOf = ({ spec }: ClusterSpec): string =>
  JSON.stringify(
    spec.hosts.flatMap((host) => (host.roles.includes('etcd') ? [[host.name, internalAddress(host)]] : [])),
  );

/**
 * The etcd hosts of a cluster have addresses, or names: members list each other by them, and a mixed list is half dependent on DNS.
 * A cluster of an earlier version (`before`) keeps what it has. Pure.
 */
export function mixedAddresses(cluster: ClusterSpec, before: ClusterSpec | null): FieldIssue[] {
  const hosts = cluster.spec.hosts
    .map((host, index) => ({ host, index }))
    .filter(({ host }) => host.roles.includes('etcd'));
  const [first] = hosts;
  if (!first || (before && placesOf(before) === placesOf(cluster))) return [];
  const isNumeric = ({ host }: typeof first) => internalIpv4(host) !== undefined;
  const other = hosts.find((each) => isNumeric(each) !== isNumeric(first));
  if (!other) return [];
  const kind = (each: typeof first) => (isNumeric(each) ? 'an IPv4 address' : 'a DNS name');
  const field = other.host.internalAddress === undefined ? 'address' : 'internalAddress';
  return [
    {
      path: formatPath(['spec', 'hosts', other.index, field]),
      message: `is ${kind(other)}, and the etcd host ${first.host.name} has ${kind(first)} (${internalAddress(first.host)}): give all etcd hosts IPv4 addresses, or all names (internalAddress)`,
    },
  ];
}
