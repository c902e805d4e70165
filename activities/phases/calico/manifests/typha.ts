import { disruptionBudget, SYSTEM_NAMESPACE as namespace, spread } from '../../../kube/manifests/common.ts';
import { TYPHA_HEALTH_PORT, TYPHA_PORT } from '../requirements.ts';
import { env } from './env.ts';
import { ACCOUNTS } from './rbac.ts';

export const TYPHA_NAME = 'calico-typha';
const labels = { 'k8s-app': TYPHA_NAME };
/** Clients are asked to leave during it, one after the other. Calico's own 300 s would outlast the drain of a node. */
const SHUTDOWN_SECONDS = 30;

/** Typha: watches the API servers for all nodes. It has the network of its node, for it is there before that of pods. */
export function typha(config: { image: string; replicas: number }): object[] {
  const probe = (path: string, periodSeconds: number) => ({
    httpGet: { path, port: TYPHA_HEALTH_PORT, host: 'localhost' },
    periodSeconds,
    timeoutSeconds: 10,
  });
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: TYPHA_NAME, namespace, labels },
      spec: {
        selector: labels,
        ports: [{ name: TYPHA_NAME, port: TYPHA_PORT, protocol: 'TCP', targetPort: TYPHA_NAME }],
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: TYPHA_NAME, namespace, labels },
      spec: {
        replicas: config.replicas,
        revisionHistoryLimit: 3,
        // Its port is the node's: a new one cannot start beside the old one of that node.
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            nodeSelector: { 'kubernetes.io/os': 'linux' },
            hostNetwork: true,
            serviceAccountName: ACCOUNTS.node,
            automountServiceAccountToken: true,
            priorityClassName: 'system-cluster-critical',
            terminationGracePeriodSeconds: SHUTDOWN_SECONDS,
            tolerations: [
              { key: 'CriticalAddonsOnly', operator: 'Exists' },
              { effect: 'NoSchedule', operator: 'Exists' },
              { effect: 'NoExecute', operator: 'Exists' },
            ],
            affinity: spread(labels),
            securityContext: { runAsNonRoot: true, runAsUser: 999, seccompProfile: { type: 'RuntimeDefault' } },
            containers: [
              {
                name: TYPHA_NAME,
                image: config.image,
                imagePullPolicy: 'IfNotPresent',
                env: env({
                  TYPHA_DATASTORETYPE: 'kubernetes',
                  TYPHA_CONNECTIONREBALANCINGMODE: 'kubernetes',
                  TYPHA_HEALTHENABLED: true,
                  TYPHA_SHUTDOWNTIMEOUTSECS: SHUTDOWN_SECONDS,
                  TYPHA_LOGSEVERITYSCREEN: 'info',
                  TYPHA_LOGFILEPATH: 'none',
                  TYPHA_LOGSEVERITYSYS: 'none',
                }),
                ports: [{ name: TYPHA_NAME, containerPort: TYPHA_PORT, protocol: 'TCP' }],
                resources: { requests: { cpu: '50m', memory: '64Mi' } },
                securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
                livenessProbe: { ...probe('/liveness', 30), initialDelaySeconds: 30 },
                readinessProbe: probe('/readiness', 5),
              },
            ],
          },
        },
      },
    },
    disruptionBudget(TYPHA_NAME, labels),
  ];
}
