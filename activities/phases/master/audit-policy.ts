import { stringify } from 'yaml';
import type { AuditPolicyOptions } from '../../kube/options/audit-rules.ts';

/**
 * Who did what and when, for every change and every read by a person; never the bodies, which may hold secrets. What
 * the cluster's own parts read, and renew every few seconds, is left out: it would drown the rest. Rules of the user come first,
 * for the first one that fits decides.
 */
export function auditPolicy(own?: AuditPolicyOptions): string {
  return stringify({
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [...(own?.rules ?? []), ...(own?.keepDefault === false ? [] : defaultRules())],
  });
}

function defaultRules(): object[] {
  const machines = ['system:nodes', 'system:serviceaccounts:kube-system'];
  return [
    { level: 'None', nonResourceURLs: ['/healthz*', '/livez*', '/readyz*', '/version', '/openapi/*', '/api*'] },
    { level: 'None', resources: [{ group: '', resources: ['events'] }, { group: 'events.k8s.io' }] },
    { level: 'None', resources: [{ group: 'coordination.k8s.io', resources: ['leases'] }] },
    {
      level: 'Metadata',
      resources: [{ group: '', resources: ['secrets', 'serviceaccounts/token'] }],
    },
    { level: 'None', userGroups: machines, verbs: ['get', 'list', 'watch'] },
    {
      level: 'None',
      users: [
        'system:apiserver',
        'system:kube-controller-manager',
        'system:kube-scheduler',
        'system:kube-proxy',
        'kubewright:health',
      ],
      verbs: ['get', 'list', 'watch'],
    },
    {
      level: 'None',
      userGroups: ['system:nodes'],
      resources: [{ group: '', resources: ['nodes/status', 'pods/status'] }],
    },
    { level: 'Metadata' },
  ];
}
