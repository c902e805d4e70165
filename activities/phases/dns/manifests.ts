import {
  controlPlaneToleration,
  disruptionBudget,
  httpProbe,
  leavesDeadNodes,
  SYSTEM_NAMESPACE as namespace,
  restrictedContainer,
  restrictedPod,
  serviceAccount,
} from '../../kube/manifests/common.ts';
import { clusterRole, clusterRoleBinding } from '../../kube/rbac.ts';

export interface CorednsConfig {
  image: string;
  replicas: number;
  clusterDomain: string;
  /** ClusterIP that kubelets give to pods as their name server. */
  address: string;
  /** Name servers for everything outside the cluster; empty = those of the node; `none` = nothing else is resolved. */
  upstream: readonly string[] | 'none';
  memoryLimitMiB: number;
}

/** Clients find cluster DNS by this label since kube-dns. */
const labels = { 'k8s-app': 'kube-dns' };

/**
 * The Corefile. Names of the cluster are not cached: the plugin `kubernetes` answers from memory, and a pod that asks for
 * a member of a StatefulSet before it is there would get the answer for 30 s that it does not exist.
 */
export function corefile(config: Pick<CorednsConfig, 'clusterDomain' | 'upstream'>): string {
  const { upstream } = config;
  const servers = upstream === 'none' ? '' : upstream.length > 0 ? upstream.join(' ') : '/etc/resolv.conf';
  const forward =
    servers === ''
      ? ''
      : `    forward . ${servers} {
        max_concurrent 1000
    }
`;
  return `.:53 {
    errors
    health {
        lameduck 5s
    }
    ready
    kubernetes ${config.clusterDomain} in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    prometheus :9153
${forward}    cache 30 {
        disable success ${config.clusterDomain}
        disable denial ${config.clusterDomain}
    }
    loop
    reload
    loadbalance
}
`;
}

/** Cluster DNS. */
export function coredns(config: CorednsConfig): object[] {
  const container = {
    name: 'coredns',
    image: config.image,
    imagePullPolicy: 'IfNotPresent',
    args: ['-conf', '/etc/coredns/Corefile'],
    ports: [
      { name: 'dns', containerPort: 53, protocol: 'UDP' },
      { name: 'dns-tcp', containerPort: 53, protocol: 'TCP' },
      { name: 'metrics', containerPort: 9153, protocol: 'TCP' },
    ],
    resources: { requests: { cpu: '50m', memory: '70Mi' }, limits: { memory: `${config.memoryLimitMiB}Mi` } },
    livenessProbe: httpProbe('/health', 8080, { initialDelaySeconds: 30, periodSeconds: 10, failureThreshold: 5 }),
    readinessProbe: httpProbe('/ready', 8181),
    // The upstream binary carries this capability as a file attribute and does not start without it.
    securityContext: restrictedContainer(['NET_BIND_SERVICE']),
    volumeMounts: [{ name: 'config', mountPath: '/etc/coredns', readOnly: true }],
  };
  return [
    serviceAccount('coredns'),
    clusterRole('kubewright:coredns', [
      { apiGroups: [''], resources: ['services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
    ]),
    clusterRoleBinding('kubewright:coredns', 'kubewright:coredns', { serviceAccount: 'coredns', namespace }),
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'coredns', namespace },
      data: { Corefile: corefile(config) },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'kube-dns',
        namespace,
        labels: { ...labels, 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
        // Prometheus set-ups without an operator find what to scrape by these.
        annotations: { 'prometheus.io/port': '9153', 'prometheus.io/scrape': 'true' },
      },
      spec: {
        clusterIP: config.address,
        selector: labels,
        ports: [
          { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
          { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
          { name: 'metrics', port: 9153, protocol: 'TCP', targetPort: 9153 },
        ],
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'coredns', namespace, labels },
      spec: {
        replicas: config.replicas,
        revisionHistoryLimit: 3,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 1 } },
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: 'coredns',
            automountServiceAccountToken: true,
            priorityClassName: 'system-cluster-critical',
            tolerations: [
              controlPlaneToleration,
              { key: 'CriticalAddonsOnly', operator: 'Exists' },
              ...leavesDeadNodes,
            ],
            // Not merely preferred: the first node to become Ready would get them all, for good.
            topologySpreadConstraints: [
              {
                maxSkew: 1,
                topologyKey: 'kubernetes.io/hostname',
                whenUnsatisfiable: 'DoNotSchedule',
                labelSelector: { matchLabels: labels },
              },
            ],
            // The name servers of the node: it cannot ask itself.
            dnsPolicy: 'Default',
            securityContext: restrictedPod(65532),
            containers: [container],
            volumes: [
              { name: 'config', configMap: { name: 'coredns', items: [{ key: 'Corefile', path: 'Corefile' }] } },
            ],
          },
        },
      },
    },
    disruptionBudget('coredns', labels),
  ];
}
