import type { Host } from '../../../contracts/host.ts';
import { kubernetesClient } from '../../kube/identities.ts';
import { clusterRole, clusterRoleBinding } from '../../kube/rbac.ts';
import type { LeafRequest } from '../../pki/types.ts';

/** Group of the certificates of the unit that keeps tunnels, and the name of its role. */
const OPENVSWITCH = 'kubewright:openvswitch';

/** The unit of a host, as client of the API server. */
export const meshClient = (host: Host): LeafRequest =>
  kubernetesClient(`openvswitch/${host.name}`, `${OPENVSWITCH}:${host.name}`, OPENVSWITCH);

/** It reads the addresses and the podCIDR of each node, and changes nothing. */
export const meshRbac = (): object[] => [
  clusterRole(OPENVSWITCH, [{ apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] }]),
  clusterRoleBinding(OPENVSWITCH, OPENVSWITCH, { group: OPENVSWITCH }),
];
