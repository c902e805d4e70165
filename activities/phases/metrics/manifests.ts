import {
  bytes,
  controlPlaneToleration,
  disruptionBudget,
  httpProbe,
  leavesDeadNodes,
  SYSTEM_NAMESPACE as namespace,
  restrictedContainer,
  restrictedPod,
  serviceAccount,
  spread,
} from '../../kube/manifests/common.ts';
import { clusterRole, clusterRoleBinding } from '../../kube/rbac.ts';

export const METRICS_TLS_SECRET = 'metrics-server-tls';
export const METRICS_SERVICE = 'metrics-server';
/** On the node's own address; 10250 is the kubelet's. */
export const METRICS_PORT = 4443;
const labels = { 'k8s-app': 'metrics-server' };

export interface MetricsServerConfig {
  image: string;
  replicas: number;
  /** PEM of the authority of its serving certificate. */
  ca: string;
  /** Says that the certificate changed: the pods start anew. */
  certificateDigest: string;
  resolutionSeconds: number;
}

/** metrics-server and the aggregated API metrics.k8s.io. Its certificate is a Secret, made apart from these. */
export function metricsServer(config: MetricsServerConfig): object[] {
  const container = {
    name: 'metrics-server',
    image: config.image,
    imagePullPolicy: 'IfNotPresent',
    args: [
      `--secure-port=${METRICS_PORT}`,
      '--tls-cert-file=/tls/tls.crt',
      '--tls-private-key-file=/tls/tls.key',
      '--tls-min-version=VersionTLS12',
      // Node names need not resolve anywhere; the kubelets' certificates are of the cluster's own authority.
      '--kubelet-preferred-address-types=InternalIP',
      '--kubelet-certificate-authority=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt',
      '--kubelet-use-node-status-port',
      `--metric-resolution=${config.resolutionSeconds}s`,
      // It refuses to start unless a request ends before the next round.
      `--kubelet-request-timeout=${Math.floor(config.resolutionSeconds / 2)}s`,
      '--profiling=false',
    ],
    ports: [{ name: 'https', containerPort: METRICS_PORT, protocol: 'TCP' }],
    resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '256Mi' } },
    livenessProbe: httpProbe('/livez', 'https', { scheme: 'HTTPS', periodSeconds: 10 }),
    // Ready means two rounds of scraping: asked for every second, so that it counts as soon as it is.
    readinessProbe: httpProbe('/readyz', 'https', { scheme: 'HTTPS', periodSeconds: 1 }),
    securityContext: restrictedContainer(),
    volumeMounts: [{ name: 'tls', mountPath: '/tls', readOnly: true }],
  };
  return [
    serviceAccount('metrics-server'),
    clusterRole('kubewright:metrics-server', [
      { apiGroups: [''], resources: ['nodes/metrics'], verbs: ['get'] },
      { apiGroups: [''], resources: ['pods', 'nodes'], verbs: ['get', 'list', 'watch'] },
    ]),
    clusterRoleBinding('kubewright:metrics-server', 'kubewright:metrics-server', {
      serviceAccount: 'metrics-server',
      namespace,
    }),
    clusterRoleBinding('kubewright:metrics-server:auth-delegator', 'system:auth-delegator', {
      serviceAccount: 'metrics-server',
      namespace,
    }),
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'kubewright:metrics-server:auth-reader', namespace },
      roleRef: {
        apiGroup: 'rbac.authorization.k8s.io',
        kind: 'Role',
        name: 'extension-apiserver-authentication-reader',
      },
      subjects: [{ kind: 'ServiceAccount', name: 'metrics-server', namespace }],
    },
    // Everyone who may look at the cluster may look at its load.
    {
      ...clusterRole('kubewright:metrics-reader', [
        { apiGroups: ['metrics.k8s.io'], resources: ['pods', 'nodes'], verbs: ['get', 'list', 'watch'] },
      ]),
      metadata: {
        name: 'kubewright:metrics-reader',
        labels: {
          'rbac.authorization.k8s.io/aggregate-to-view': 'true',
          'rbac.authorization.k8s.io/aggregate-to-edit': 'true',
          'rbac.authorization.k8s.io/aggregate-to-admin': 'true',
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: METRICS_SERVICE, namespace, labels },
      spec: {
        selector: labels,
        ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 'https' }],
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'metrics-server', namespace, labels },
      spec: {
        replicas: config.replicas,
        revisionHistoryLimit: 3,
        // The port is the node's: a new pod cannot start beside the old one.
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
        selector: { matchLabels: labels },
        template: {
          metadata: { labels, annotations: { 'kubewright.dev/certificate': config.certificateDigest } },
          spec: {
            serviceAccountName: 'metrics-server',
            automountServiceAccountToken: true,
            priorityClassName: 'system-cluster-critical',
            // On the node's network it runs before, and without, the pod network, and so do its answers.
            hostNetwork: true,
            dnsPolicy: 'Default',
            tolerations: [
              controlPlaneToleration,
              { key: 'CriticalAddonsOnly', operator: 'Exists' },
              { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoSchedule' },
              { key: 'node.kubernetes.io/network-unavailable', operator: 'Exists', effect: 'NoSchedule' },
              ...leavesDeadNodes,
            ],
            affinity: spread(labels),
            securityContext: restrictedPod(65534),
            containers: [container],
            volumes: [{ name: 'tls', secret: { secretName: METRICS_TLS_SECRET, defaultMode: 0o440 } }],
          },
        },
      },
    },
    disruptionBudget('metrics-server', labels),
    {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: 'v1beta1.metrics.k8s.io' },
      spec: {
        group: 'metrics.k8s.io',
        version: 'v1beta1',
        service: { name: METRICS_SERVICE, namespace, port: 443 },
        caBundle: bytes(config.ca),
        groupPriorityMinimum: 100,
        versionPriority: 100,
      },
    },
  ];
}
