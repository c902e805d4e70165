import { type ClusterSpec, hostsWithRole, internalAddress } from '../../../contracts/cluster.ts';
import type { Host } from '../../../contracts/host.ts';
import type { FieldIssue } from '../../../contracts/issues.ts';
import { internalIpv4 } from '../../kube/network.ts';
import { ETCD_CLIENT_PORT } from '../../kube/paths.ts';

/**
 * Client URLs of every member; the one on this host, if there is one, first. The others by their names in /etc/hosts: another
 * machine in the place of one of them does not restart every API server.
 */
export function memberUrls(cluster: ClusterSpec, host: Host): string[] {
  const members = hostsWithRole(cluster, 'etcd');
  const own = members.filter((each) => each.name === host.name).map(internalAddress);
  const others = members
    .filter((each) => each.name !== host.name)
    .map((each) => (internalIpv4(each) === undefined ? internalAddress(each) : each.name));
  return [...own, ...others].map((name) => `https://${name}:${ETCD_CLIENT_PORT}`);
}

/** What a spec says of members that its hosts cannot be. Pure. */
export function memberIssues({ spec }: ClusterSpec): FieldIssue[] {
  const none: FieldIssue[] = spec.hosts.some(({ roles }) => roles.includes('etcd'))
    ? []
    : [
        {
          path: 'spec.hosts',
          message:
            '0 hosts have the role etcd; a quorum needs an odd number (1, 3, 5 or 7). For an etcd of yours set spec.phases.etcd.bootstrap.mode to external',
        },
      ];
  const external = spec.hosts.flatMap(({ phases }, index): FieldIssue[] => {
    const { bootstrap } = (phases['etcd'] ?? {}) as { bootstrap?: { mode?: unknown } };
    return bootstrap?.mode === 'external'
      ? [
          {
            path: `spec.hosts[${index}].phases.etcd.bootstrap.mode`,
            message: 'external is chosen for the whole cluster: set spec.phases.etcd.bootstrap',
          },
        ]
      : [];
  });
  return [...none, ...external];
}
