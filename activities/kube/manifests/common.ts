import { CONTROL_PLANE_LABEL } from '../node-taints.ts';

export const SYSTEM_NAMESPACE = 'kube-system';

export const serviceAccount = (name: string, namespace = SYSTEM_NAMESPACE): object => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name, namespace },
  // Pods that need a token say so themselves.
  automountServiceAccountToken: false,
});

/** Security context of every container of ours; nothing in it needs more. */
export const restrictedContainer = (addCapabilities: readonly string[] = []): object => ({
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'], ...(addCapabilities.length > 0 ? { add: [...addCapabilities] } : {}) },
});

/** Security context of every pod of ours. `user` is numeric: the kubelet cannot judge names in images. */
export const restrictedPod = (user: number): object => ({
  runAsNonRoot: true,
  runAsUser: user,
  runAsGroup: user,
  fsGroup: user,
  seccompProfile: { type: 'RuntimeDefault' },
});

/** A control plane that takes no pods of users takes those of the cluster itself. */
export const controlPlaneToleration = { key: CONTROL_PLANE_LABEL, operator: 'Exists', effect: 'NoSchedule' } as const;

/** Seconds for which a pod of ours stays bound to a node that says nothing any more; Kubernetes' own default is 300. */
const DEAD_NODE_SECONDS = 30;

/** What serves the whole cluster does not wait minutes for a dead node: nothing is kept there that would be lost. */
export const leavesDeadNodes = ['not-ready', 'unreachable'].map((state) => ({
  key: `node.kubernetes.io/${state}`,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: DEAD_NODE_SECONDS,
}));

/** Replicas on different nodes where there are several. */
export const spread = (labels: Readonly<Record<string, string>>): object => ({
  podAntiAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 100,
        podAffinityTerm: { labelSelector: { matchLabels: labels }, topologyKey: 'kubernetes.io/hostname' },
      },
    ],
  },
});

export const disruptionBudget = (name: string, labels: Readonly<Record<string, string>>): object => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name, namespace: SYSTEM_NAMESPACE },
  spec: { maxUnavailable: 1, selector: { matchLabels: labels } },
});

/** An HTTP probe; every other second by default: pods of ours are ready soon after their start. */
export function httpProbe(
  path: string,
  port: number | string,
  more: {
    scheme?: 'HTTP' | 'HTTPS';
    initialDelaySeconds?: number;
    periodSeconds?: number;
    failureThreshold?: number;
  } = {},
): object {
  const { scheme = 'HTTP', ...times } = more;
  return { httpGet: { path, port, scheme }, periodSeconds: 2, timeoutSeconds: 3, failureThreshold: 3, ...times };
}

/** Base64, as the API writes bytes in JSON. */
export const bytes = (text: string): string => Buffer.from(text).toString('base64');
