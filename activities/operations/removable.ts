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
 * May the host leave, and a working cluster be left? Hosts in quarantine do not count as left. Throws NOT_FOUND for a host that is
 * not there, QUORUM_WOULD_BREAK for members of etcd, the last control plane and the last load balancer, SPEC_INVALID for what else
 * the others cannot do without.
 */
export async function requireRemovable(
  cluster: ClusterSpec,
  name: string,
  { phases, validatePhases, quarantined }: Pick<GuardWorld, 'phases' | 'validatePhases' | 'quarantined'>,
): Promise<void> {
  const host = cluster.spec.hosts.find((each) => each.name === name);
  if (!host) throw new KubewrightError('NOT_FOUND', `the cluster ${cluster.metadata.name} has no host named ${name}`);
  const refuse = (code: 'QUORUM_WOULD_BREAK' | 'SPEC_INVALID', why: string) => {
    throw new KubewrightError(code, `host ${name} cannot be removed: ${why}`);
  };
  if (host.roles.includes('etcd')) {
    const left = hostsWithRole(cluster, 'etcd').length - 1;
    refuse('QUORUM_WOULD_BREAK', `etcd would have ${left} members, and a quorum needs an odd number`);
  }
  if (host.roles.includes('registry')) refuse('SPEC_INVALID', 'the others pull their images from its registry');
  const out = new Set([...(await quarantined()), name]);
  const ends = groupsToLeave(cluster, phases).filter(({ hosts }) => hosts.every((each) => out.has(each)));
  const problem = quorumProblem(ends, out);
  if (problem) refuse('QUORUM_WOULD_BREAK', problem.message);
  const endpoint = offerOf({ cluster, phases }, controlPlaneEndpoint).host;
  // A loopback address is each host's own.
  const isShared = !ipv4.safeParse(endpoint).success || rangeOf(endpoint) !== 'loopback';
  if (isShared && [internalAddress(host), host.address].includes(endpoint)) {
    refuse('SPEC_INVALID', `the others reach the API server through it: its address ${endpoint} is the endpoint`);
  }
  validateClusterSpec(withoutHosts(cluster, [name]), validatePhases);
}
