import { SYSTEM_NAMESPACE as namespace, serviceAccount } from '../../../kube/manifests/common.ts';
import { clusterRole, clusterRoleBinding, type Rule } from '../../../kube/rbac.ts';

/** Names of the service accounts, of their roles and bindings: those of Calico's own manifests, which its programs know. */
export const ACCOUNTS = {
  node: 'calico-node',
  cni: 'calico-cni-plugin',
  controllers: 'calico-kube-controllers',
} as const;

const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'update', 'delete'];

const core = (resources: string[], verbs: string[]): Rule => ({ apiGroups: [''], resources, verbs });
const own = (resources: string[], verbs: string[]): Rule => ({
  apiGroups: ['crd.projectcalico.org'],
  resources,
  verbs,
});

const IPAM = ['blockaffinities', 'ipamblocks', 'ipamhandles'];

/** What the programs of a node may do (manifests/calico.yaml of the project). */
const NODE: readonly Rule[] = [
  { ...core(['serviceaccounts/token'], ['create']), resourceNames: [ACCOUNTS.cni] },
  core(['pods', 'nodes', 'namespaces', 'services', 'endpoints', 'serviceaccounts'], READ),
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
  core(['configmaps'], ['get']),
  core(['nodes/status'], ['patch', 'update']),
  core(['pods/status'], ['patch']),
  { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: ['list', 'watch'] },
  own(
    [
      ...['felixconfigurations', 'bgppeers', 'bgpfilters', 'bgpconfigurations', 'ippools', 'ipreservations'],
      ...['globalnetworkpolicies', 'globalnetworksets', 'networkpolicies', 'networksets', 'clusterinformations'],
      // Of Calico 2: a node that may not read them does not start.
      ...['hostendpoints', 'caliconodestatuses', 'globalfelixconfigs', 'globalbgpconfigs'],
    ],
    READ,
  ),
  own(['ippools', 'felixconfigurations', 'clusterinformations', 'bgpconfigurations', 'bgppeers'], ['create', 'update']),
  own(['caliconodestatuses'], ['update']),
  own(IPAM, [...READ, ...WRITE]),
  own(['ipamconfigs'], ['get', 'create']),
];

/** What the CNI plugin of a node may do. */
const CNI: readonly Rule[] = [
  core(['pods', 'nodes', 'namespaces'], ['get']),
  core(['pods/status'], ['patch']),
  own([...IPAM, 'clusterinformations', 'ippools', 'ipreservations', 'ipamconfigs'], ['get', 'list', ...WRITE]),
];

/** What the controllers may do. */
const CONTROLLERS: readonly Rule[] = [
  core(['nodes', 'pods'], READ),
  own(['ipreservations'], ['list']),
  own(IPAM, [...READ, ...WRITE]),
  own(['ippools'], ['list', 'watch']),
  own(['hostendpoints'], ['get', 'list', ...WRITE]),
  own(['clusterinformations'], ['get', 'list', 'create', 'update', 'watch']),
  own(['kubecontrollersconfigurations'], ['get', 'list', 'create', 'update', 'watch']),
];

/** Accounts, roles and bindings of Calico. */
export const calicoRbac = (): object[] =>
  (
    [
      [ACCOUNTS.node, NODE],
      [ACCOUNTS.cni, CNI],
      [ACCOUNTS.controllers, CONTROLLERS],
    ] as const
  ).flatMap(([name, rules]) => [
    serviceAccount(name),
    clusterRole(name, rules),
    clusterRoleBinding(name, name, { serviceAccount: name, namespace }),
  ]);
