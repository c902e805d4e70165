import { type ClusterSpec, hostsWithRole, internalAddress } from '../../contracts/cluster.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { validateClusterSpec } from '../../contracts/spec-parse.ts';
import { controlPlaneEndpoint } from '../phases/capabilities/control-plane-endpoint.ts';
import { offerOf } from '../phases/offers.ts';
import type { GuardWorld } from './operation-kind.ts';

/** The spec without a host. */
function withoutHost(cluster: ClusterSpec, host: string): ClusterSpec {
  return { ...cluster, spec: { ...cluster.spec, hosts: cluster.spec.hosts.filter(({ name }) => name !== host) } };
}

/**
 * May the host leave, and a working cluster be left? Throws NOT_FOUND for a host that is not there, QUORUM_WOULD_BREAK
 * for members of etcd and the last control plane, SPEC_INVALID for what else the others cannot do without.
 */
export function requireRemovable(
  cluster: ClusterSpec,
  name: string,
  { phases, validatePhases }: Pick<GuardWorld, 'phases' | 'validatePhases'>,
): void {
  const host = cluster.spec.hosts.find((each) => each.name === name);
  if (!host) throw new KubewrightError('NOT_FOUND', `the cluster ${cluster.metadata.name} has no host named ${name}`);
  const refuse = (code: 'QUORUM_WOULD_BREAK' | 'SPEC_INVALID', why: string) => {
    throw new KubewrightError(code, `host ${name} cannot be removed: ${why}`);
  };
  const controlPlanes = hostsWithRole(cluster, 'control-plane');
  if (host.roles.includes('control-plane') && controlPlanes.length === 1) {
    refuse('QUORUM_WOULD_BREAK', 'the cluster would have no control plane');
  }
  if (host.roles.includes('etcd')) {
    const left = hostsWithRole(cluster, 'etcd').length - 1;
    refuse('QUORUM_WOULD_BREAK', `etcd would have ${left} members, and a quorum needs an odd number`);
  }
  if (host.roles.includes('registry')) refuse('SPEC_INVALID', 'the others pull their images from its registry');
  const endpoint = offerOf({ cluster, phases }, controlPlaneEndpoint).host;
  if ([internalAddress(host), host.address].includes(endpoint)) {
    refuse('SPEC_INVALID', `the others reach the API server through it: its address ${endpoint} is the endpoint`);
  }
  validateClusterSpec(withoutHost(cluster, name), validatePhases);
}
