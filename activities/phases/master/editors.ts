import { EDITOR_GROUP } from '../../kube/identities.ts';
import { SYSTEM_NAMESPACE } from '../../kube/manifests/common.ts';
import { clusterRole, clusterRoleBinding, type Rule } from '../../kube/rbac.ts';

const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'update', 'patch', 'delete', 'deletecollection'];
const rule = (group: string, resources: string[], verbs = WRITE): Rule => ({ apiGroups: [group], resources, verbs });

/**
 * Kubernetes' own role `edit` of 1.36 (bootstrappolicy/policy.go, editRules) without two rules of its: impersonating
 * service accounts and making tokens of theirs. Either one is cluster-admin for who may do it in kube-system, and no
 * admission plugin sees an impersonation.
 */
const EDIT_RULES: readonly Rule[] = [
  rule('', ['pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'secrets', 'services/proxy'], READ),
  rule('', ['pods', 'pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy']),
  rule('', ['pods/eviction'], ['create']),
  rule('', ['replicationcontrollers', 'replicationcontrollers/scale', 'serviceaccounts', 'services', 'services/proxy']),
  rule('', ['persistentvolumeclaims', 'configmaps', 'secrets', 'events']),
  rule('events.k8s.io', ['events']),
  rule('apps', ['statefulsets', 'statefulsets/scale', 'daemonsets', 'deployments', 'deployments/scale']),
  rule('apps', ['deployments/rollback', 'replicasets', 'replicasets/scale']),
  rule('autoscaling', ['horizontalpodautoscalers']),
  rule('batch', ['jobs', 'cronjobs']),
  rule('policy', ['poddisruptionbudgets']),
  rule('networking.k8s.io', ['networkpolicies', 'ingresses']),
  rule('resource.k8s.io', ['resourceclaims', 'resourceclaimtemplates']),
  rule('coordination.k8s.io', ['leases'], [...READ, ...WRITE]),
];

const ROLE = 'kubewright:editors';
const AGGREGATED = 'kubewright.dev/aggregate-to-editors';
const POLICY = 'editors.kubewright.dev';
const AGGREGATE = 'rbac.authorization.k8s.io/aggregate-to-';

/**
 * What people with the group `kubewright:editors` may do: what `edit` may and what add-ons add to it, but for what makes
 * them root on nodes. In kube-system, and in every namespace that an administrator labelled for privileged pods, they only
 * look (ports and pages of pods included): who writes there, or runs a command there, is root on its nodes.
 */
export function editorsObjects(): object[] {
  return [
    {
      ...clusterRole('kubewright:edit', EDIT_RULES),
      metadata: { name: 'kubewright:edit', labels: { [AGGREGATED]: 'true' } },
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: ROLE },
      // Its rules are the controller manager's to fill.
      aggregationRule: {
        clusterRoleSelectors: [
          { matchLabels: { [AGGREGATED]: 'true' } },
          { matchLabels: { [`${AGGREGATE}view`]: 'true' } },
          {
            // Those of add-ons, for their own kinds of objects; Kubernetes' own is replaced by the one above.
            matchExpressions: [
              { key: `${AGGREGATE}edit`, operator: 'In', values: ['true'] },
              { key: 'kubernetes.io/bootstrapping', operator: 'DoesNotExist' },
            ],
          },
        ],
      },
    },
    clusterRoleBinding('kubewright:editors-but-not-nodes', ROLE, { group: EDITOR_GROUP }),
    // Clusters of earlier versions have it with the group as its subject. The role of a binding cannot change.
    { ...clusterRoleBinding('kubewright:editors', 'edit', { group: EDITOR_GROUP }), subjects: [] },
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: POLICY },
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: {
          resourceRules: [
            { apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'], operations: ['*'], scope: 'Namespaced' },
          ],
        },
        matchConditions: [
          { name: 'by-an-editor', expression: `request.userInfo.groups.exists(group, group == '${EDITOR_GROUP}')` },
          {
            name: 'more-than-looking',
            expression: "!(request.operation == 'CONNECT' && request.subResource in ['portforward', 'proxy'])",
          },
        ],
        validations: [
          {
            expression: 'false',
            messageExpression: `'the group ${EDITOR_GROUP} may only look in namespace ' + request.namespace + ': it may run privileged pods'`,
            reason: 'Forbidden',
          },
        ],
      },
    },
    binding('system', { key: 'kubernetes.io/metadata.name', operator: 'In', values: [SYSTEM_NAMESPACE] }),
    binding('privileged', { key: 'pod-security.kubernetes.io/enforce', operator: 'In', values: ['privileged'] }),
  ];
}

/** Holds the namespaces that the label says to the policy. */
const binding = (name: string, label: { key: string; operator: string; values: string[] }): object => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  metadata: { name: `${name}.${POLICY}` },
  spec: {
    policyName: POLICY,
    validationActions: ['Deny'],
    matchResources: { namespaceSelector: { matchExpressions: [label] } },
  },
});
