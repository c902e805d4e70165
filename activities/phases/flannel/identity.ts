import type { Host } from '../../../contracts/host.ts';
import { kubernetesClient } from '../../kube/identities.ts';
import { clusterRole, clusterRoleBinding } from '../../kube/rbac.ts';
import type { LeafRequest } from '../../pki/types.ts';

/** Group of the certificates of flanneld, and the name of its role. */
const FLANNEL = 'kubewright:flannel';

/** flanneld of a host, as client of the API server. */
export const flannelClient = (host: Host): LeafRequest =>
  kubernetesClient(`flannel/${host.name}`, `${FLANNEL}:${host.name}`, FLANNEL);

/** Common name of the certificates of flanneld for etcd, which is its user there. */
export const FLANNEL_ETCD_USER = 'kubewright-flannel';

/** flanneld of a host, as client of the cluster's own etcd. */
export const flannelEtcdClient = (host: Host): LeafRequest => ({
  authority: 'etcd',
  name: `flannel-etcd/${host.name}`,
  commonName: FLANNEL_ETCD_USER,
  usages: ['client'],
});

/** What flanneld may do: read the podCIDR of each node, and write annotations on its own. */
export const flannelRbac = (): object[] => [
  clusterRole(FLANNEL, [
    { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['nodes/status'], verbs: ['patch'] },
  ]),
  clusterRoleBinding(FLANNEL, FLANNEL, { group: FLANNEL }),
];
