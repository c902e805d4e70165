import { type ClusterSpec, hostsWithRole, internalAddress, withoutHosts } from '../../contracts/cluster.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { ipv4, rangeOf } from '../../contracts/primitives.ts';
import { quorumProblem } from '../../contracts/quorum.ts';
import { validateClusterSpec } from '../../contracts/spec-parse.ts';
import { controlPlaneEndpoint } from '../phases/capabilities/control-plane-endpoint.ts';
import { offerOf } from '../phases/offers.ts';
import type { GuardWorld } from './operation-kind.ts';
import { groupsToLeave } from './quorum-groups.ts';

/**
 * May the hosts leave together, and a working cluster be left? Hosts in quarantine do not count as left. Throws NOT_FOUND for a host
 * that is not there, QUORUM_WOULD_BREAK for a number of etcd members that is no quorum, the last control plane and the last load
 * balancer, SPEC_INVALID for what else the others cannot do without.
 */
export async function requireRemovable(
  cluster: ClusterSpec,
  names: readonly string[],
  { phases, validatePhases, quarantined }: Pick<GuardWorld, 'phases' | 'validatePhases' | 'quarantined'>,
): Promise<void> {
  const which = names.length === 1 ? `host ${names[0]}` : `hosts ${names.join(', ')}`;
  const refuse = (code: 'QUORUM_WOULD_BREAK' | 'SPEC_INVALID', why: string) => {
    throw new KubewrightError(code, `${which} cannot be removed: ${why}`);
  };
  const leaving = names.map((name) => {
    const host = cluster.spec.hosts.find((each) => each.name === name);
    if (!host) throw new KubewrightError('NOT_FOUND', `the cluster ${cluster.metadata.name} has no host named ${name}`);
    return host;
  });
  if (leaving.some(({ roles }) => roles.includes('etcd'))) {
    const left = hostsWithRole(cluster, 'etcd').filter(({ name }) => !names.includes(name)).length;
    const members = `etcd would have ${left} member${left === 1 ? '' : 's'}`;
    if (left === 0) refuse('QUORUM_WOULD_BREAK', members);
    if (left % 2 === 0) {
      const { name } = cluster.metadata;
      const how = `remove two of them in one operation: DELETE /clusters/${name}/hosts?hosts=A,B&confirm=A,B`;
      refuse('QUORUM_WOULD_BREAK', `${members}, and a quorum needs an odd number; ${how}`);
    }
  }
  if (leaving.some(({ roles }) => roles.includes('registry')))
    refuse('SPEC_INVALID', 'the others pull their images from its registry');
  const out = new Set([...(await quarantined()), ...names]);
  const ends = groupsToLeave(cluster, phases).filter(({ hosts }) => hosts.every((each) => out.has(each)));
  const problem = quorumProblem(ends, out);
  if (problem) refuse('QUORUM_WOULD_BREAK', problem.message);
  const endpoint = offerOf({ cluster, phases }, controlPlaneEndpoint).host;
  // A loopback address is each host's own.
  const isShared = !ipv4.safeParse(endpoint).success || rangeOf(endpoint) !== 'loopback';
  if (isShared && leaving.some((host) => [internalAddress(host), host.address].includes(endpoint))) {
    refuse('SPEC_INVALID', `the others reach the API server through it: its address ${endpoint} is the endpoint`);
  }
  validateClusterSpec(withoutHosts(cluster, names), validatePhases);
}
