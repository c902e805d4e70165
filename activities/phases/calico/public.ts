/** What phase calico-objects, which places Calico in the cluster, needs of the options and objects of Calico. */
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { imageRef } from '../../kube/images.ts';
import { phaseOptions, rawPhaseOptions } from '../options.ts';
import type { PhaseContext } from '../phase.ts';
import { CALICO_CNI, CALICO_KUBE_CONTROLLERS, CALICO_NODE, CALICO_TYPHA } from './artifacts.ts';
import { CONTROLLERS_NAME, kubeControllers } from './manifests/controllers.ts';
import { calicoNode } from './manifests/node.ts';
import { calicoRbac } from './manifests/rbac.ts';
import { calicoResources } from './manifests/resources.ts';
import { TYPHA_NAME, typha } from './manifests/typha.ts';
import { type CalicoOptions, typhaReplicas } from './options.ts';

export { CALICO_CRDS } from './artifacts.ts';
export { calicoCrds } from './crds-resource.ts';
export { waitUntilRolled } from './rolled.ts';

export const CALICO = 'calico';

/** The cluster's spec names Calico, and leaves it on. Pure. */
export const isCalicoOn = (cluster: ClusterSpec): boolean =>
  Object.hasOwn(cluster.spec.phases, CALICO) && rawPhaseOptions(cluster, CALICO)['enabled'] !== false;

/** Calico's objects in the cluster, without the definitions of its resources. Throws what `imageRef` throws. */
export async function calicoObjects(context: PhaseContext<unknown>): Promise<object[]> {
  const { cluster, phases } = context;
  const options = phaseOptions(cluster, phases.get(CALICO)!) as CalicoOptions;
  const replicas = typhaReplicas(cluster, options);
  const [node, cni, controllers] = await Promise.all(
    [CALICO_NODE, CALICO_CNI, CALICO_KUBE_CONTROLLERS].map((image) => imageRef(context, image)),
  );
  return [
    ...calicoRbac(),
    ...calicoNode({
      ...options,
      images: { node: node!, cni: cni! },
      maxUnavailable: maxUnavailable(cluster),
      mtu: cluster.spec.network.mtu ?? null,
      hasTypha: replicas > 0,
    }),
    ...kubeControllers({ image: controllers! }),
    ...(replicas > 0 ? typha({ image: await imageRef(context, CALICO_TYPHA), replicas }) : []),
    ...calicoResources(cluster.spec.network.podCidr, options),
  ];
}

/** The Deployments of Calico in this cluster, as its phase is set. */
export const calicoDeploymentsOf = ({ cluster, phases }: PhaseContext<unknown>): string[] =>
  calicoDeployments(cluster, phaseOptions(cluster, phases.get(CALICO)!) as CalicoOptions);

/** The Deployments of Calico. */
export function calicoDeployments(cluster: ClusterSpec, options: CalicoOptions): string[] {
  return [CONTROLLERS_NAME, ...(typhaReplicas(cluster, options) > 0 ? [TYPHA_NAME] : [])];
}

/** Nodes whose pod of Calico changes at once: as many as a build changes of the nodes themselves. */
function maxUnavailable({ spec }: ClusterSpec): number | string {
  const { maxUnavailableNodes = '10%' } = spec.policy;
  // Kubernetes rounds a percentage up, and refuses none at all.
  return maxUnavailableNodes === '0%' ? 1 : maxUnavailableNodes;
}
