import type { Host } from '../../contracts/host.ts';
import type { KubernetesBinary } from '../artifacts/catalogue.ts';
import type { PhaseContext } from '../phases/phase.ts';
import type { Resource } from '../resources/resource.ts';
import { install } from './install.ts';
import { isControlPlane } from './network.ts';

export const CONTROL_PLANE_BINARIES = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubectl',
] as const;
export const NODE_BINARIES = ['kubelet', 'kube-proxy'] as const;

/** The Kubernetes binaries that a host needs, all roles taken together. */
export const binariesOf = (host: Host): KubernetesBinary[] => [
  ...(isControlPlane(host) ? CONTROL_PLANE_BINARIES : []),
  ...NODE_BINARIES,
];

/** Kubernetes binaries at the cluster's version, in /usr/local/bin. */
export function installKubernetes(
  context: Pick<PhaseContext<unknown>, 'artifacts' | 'facts' | 'host' | 'cluster'>,
  names: readonly KubernetesBinary[],
): Promise<Resource[]> {
  const { version } = context.cluster.spec.kubernetes;
  return Promise.all(names.map((name) => install(context, name, { version })));
}
