import { ADMIN_GROUP, KUBELET_CLIENT_GROUP, VIEWER_GROUP } from './identities.ts';

const RBAC = 'rbac.authorization.k8s.io';

/** Binds a cluster role to a group or a service account. */
export function clusterRoleBinding(
  name: string,
  role: string,
  subject: { group: string } | { serviceAccount: string; namespace: string },
): object {
  return {
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: role },
    subjects: [
      'group' in subject
        ? { apiGroup: RBAC, kind: 'Group', name: subject.group }
        : { kind: 'ServiceAccount', name: subject.serviceAccount, namespace: subject.namespace },
    ],
  };
}

export interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
  resourceNames?: string[];
}

export const clusterRole = (name: string, rules: readonly Rule[]): object => ({
  apiVersion: `${RBAC}/v1`,
  kind: 'ClusterRole',
  metadata: { name },
  rules,
});

/** What the certificates of identities.ts may do; phases require the objects of theirs. Everything else about RBAC is Kubernetes' own. */
export function bootstrapRbac(): object[] {
  return [
    clusterRoleBinding('kubewright:cluster-admins', 'cluster-admin', { group: ADMIN_GROUP }),
    clusterRoleBinding('kubewright:viewers', 'view', { group: VIEWER_GROUP }),
    clusterRoleBinding('kubewright:kubelet-clients', 'system:kubelet-api-admin', { group: KUBELET_CLIENT_GROUP }),
  ];
}
