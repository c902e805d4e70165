import {
  controlPlaneToleration,
  disruptionBudget,
  leavesDeadNodes,
  SYSTEM_NAMESPACE as namespace,
} from '../../../kube/manifests/common.ts';
import { env } from './env.ts';
import { ACCOUNTS } from './rbac.ts';

export const CONTROLLERS_NAME = ACCOUNTS.controllers;
const labels = { 'k8s-app': CONTROLLERS_NAME };
/** The user of the official image. */
const USER = 999;

/** Calico's controllers: they take back the blocks and addresses of nodes and pods that are gone. One runs at a time. */
export function kubeControllers(config: { image: string }): object[] {
  const probe = (flag: string) => ({
    exec: { command: ['/usr/bin/check-status', flag] },
    periodSeconds: 10,
    timeoutSeconds: 10,
  });
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: CONTROLLERS_NAME, namespace, labels },
      spec: {
        replicas: 1,
        revisionHistoryLimit: 3,
        strategy: { type: 'Recreate' },
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            nodeSelector: { 'kubernetes.io/os': 'linux' },
            serviceAccountName: ACCOUNTS.controllers,
            automountServiceAccountToken: true,
            priorityClassName: 'system-cluster-critical',
            tolerations: [
              controlPlaneToleration,
              { key: 'CriticalAddonsOnly', operator: 'Exists' },
              ...leavesDeadNodes,
            ],
            securityContext: {
              ...{ runAsNonRoot: true, runAsUser: USER, runAsGroup: 0, fsGroup: USER },
              seccompProfile: { type: 'RuntimeDefault' },
            },
            containers: [
              {
                name: CONTROLLERS_NAME,
                image: config.image,
                imagePullPolicy: 'IfNotPresent',
                env: env({ ENABLED_CONTROLLERS: 'node', DATASTORE_TYPE: 'kubernetes' }),
                resources: { requests: { cpu: '25m', memory: '64Mi' } },
                securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
                livenessProbe: { ...probe('-l'), initialDelaySeconds: 10, failureThreshold: 6 },
                readinessProbe: { ...probe('-r'), periodSeconds: 5 },
              },
            ],
          },
        },
      },
    },
    disruptionBudget(CONTROLLERS_NAME, labels),
  ];
}
