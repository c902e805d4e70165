import {
  controlPlaneToleration,
  httpProbe,
  leavesDeadNodes,
  SYSTEM_NAMESPACE as namespace,
  restrictedContainer,
  restrictedPod,
  serviceAccount,
} from '../../kube/manifests/common.ts';
import { clusterRole, clusterRoleBinding, type Rule } from '../../kube/rbac.ts';

export const DASHBOARD_FLAVOURS = ['headlamp', 'kube-web-view'] as const;
export type DashboardFlavour = (typeof DASHBOARD_FLAVOURS)[number];

export interface DashboardConfig {
  flavour: DashboardFlavour;
  image: string;
  service: { type: 'ClusterIP' | 'NodePort'; nodePort?: number | undefined };
  /** Show container logs, which may hold secrets. kube-web-view only: in Headlamp the user's own token decides. */
  showLogs: boolean;
}

/** Name of its Deployment, Service, account and label. */
export const DASHBOARD_NAME = 'dashboard';
const labels = { app: DASHBOARD_NAME };

interface Flavour {
  port: number;
  user: number;
  args: (config: DashboardConfig) => string[];
  healthPath: string;
  /** What its account may read, beside discovery. */
  rules: readonly Rule[];
  bindings: readonly string[];
}

const read = ['get', 'list', 'watch'];

const FLAVOURS: Readonly<Record<DashboardFlavour, Flavour>> = {
  headlamp: {
    port: 4466,
    user: 100,
    args: () => ['-in-cluster', '-plugins-dir=/headlamp/plugins'],
    healthPath: '/',
    // Users log in with their own token: the account of the dashboard needs no rights.
    rules: [],
    bindings: [],
  },
  'kube-web-view': {
    port: 8080,
    user: 65532,
    args: ({ showLogs }) => ['--port=8080', ...(showLogs ? ['--show-container-logs'] : [])],
    healthPath: '/health',
    // Kubernetes' own role `view` leaves out Secrets, and all that belongs to no namespace: this much of it is added.
    rules: [
      { apiGroups: [''], resources: ['nodes', 'persistentvolumes', 'namespaces'], verbs: read },
      { apiGroups: ['storage.k8s.io'], resources: ['storageclasses'], verbs: read },
      { apiGroups: ['metrics.k8s.io'], resources: ['nodes', 'pods'], verbs: read },
      { apiGroups: ['apiextensions.k8s.io'], resources: ['customresourcedefinitions'], verbs: read },
    ],
    bindings: ['view'],
  },
};

/** A web dashboard with an account that reads, and no Secrets. */
export function dashboard(config: DashboardConfig): object[] {
  const flavour = FLAVOURS[config.flavour];
  const account = { serviceAccount: DASHBOARD_NAME, namespace };
  const container = {
    name: config.flavour,
    image: config.image,
    imagePullPolicy: 'IfNotPresent',
    args: flavour.args(config),
    ports: [{ name: 'http', containerPort: flavour.port, protocol: 'TCP' }],
    resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '256Mi' } },
    readinessProbe: httpProbe(flavour.healthPath, flavour.port),
    livenessProbe: httpProbe(flavour.healthPath, flavour.port, {
      initialDelaySeconds: 30,
      periodSeconds: 20,
      failureThreshold: 5,
    }),
    securityContext: restrictedContainer(),
    env: [{ name: 'HOME', value: '/tmp' }],
    volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
  };
  return [
    serviceAccount(DASHBOARD_NAME),
    clusterRole('kubewright:dashboard', flavour.rules),
    clusterRoleBinding('kubewright:dashboard', 'kubewright:dashboard', account),
    ...flavour.bindings.map((role) => clusterRoleBinding(`kubewright:dashboard:${role}`, role, account)),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: DASHBOARD_NAME, namespace, labels },
      spec: {
        type: config.service.type,
        selector: labels,
        ports: [
          {
            name: 'http',
            port: 80,
            protocol: 'TCP',
            targetPort: flavour.port,
            ...(config.service.type === 'NodePort' && config.service.nodePort !== undefined
              ? { nodePort: config.service.nodePort }
              : {}),
          },
        ],
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: DASHBOARD_NAME, namespace, labels },
      spec: {
        replicas: 1,
        revisionHistoryLimit: 3,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: DASHBOARD_NAME,
            automountServiceAccountToken: true,
            tolerations: [controlPlaneToleration, ...leavesDeadNodes],
            securityContext: restrictedPod(flavour.user),
            containers: [container],
            volumes: [{ name: 'tmp', emptyDir: { sizeLimit: '64Mi' } }],
          },
        },
      },
    },
  ];
}
