import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Issued } from '../../../activities/pki/certificates.ts';

/** A namespace that an administrator has labelled for privileged pods, and one without a label. */
export const NAMESPACE = 'e2e-addons';
export const UNLABELLED = 'e2e-unlabelled';
/** The port that the driver has on each node. */
export const HOST_PORT = 18_080;
/** The service that API server and webhook share, and its group of APIs. */
export const EXTENSION = 'extension';
export const GROUP = 'e2e.kubewright.dev';
export const extensionHost = `${EXTENSION}.${NAMESPACE}.svc`;

/** What a storage or network driver mounts, with the type that its manifest names. */
const HOST_PATHS: Readonly<Record<string, { path: string; type: string }>> = {
  plugins: { path: '/var/lib/kubelet/plugins', type: 'DirectoryOrCreate' },
  registration: { path: '/var/lib/kubelet/plugins_registry', type: 'Directory' },
  devices: { path: '/var/lib/kubelet/device-plugins', type: 'Directory' },
  pods: { path: '/var/lib/kubelet/pods', type: 'Directory' },
  'cni-bin': { path: '/opt/cni/bin', type: 'Directory' },
  'cni-conf': { path: '/etc/cni/net.d', type: 'Directory' },
  modules: { path: '/lib/modules', type: 'DirectoryOrCreate' },
  xtables: { path: '/run/xtables.lock', type: 'FileOrCreate' },
  host: { path: '/', type: 'Directory' },
};

const BIDIRECTIONAL = ['plugins', 'pods'];

/** Mounts something that the host must see, writes where a CNI plugin installs itself, then serves a page. */
const DRIVER = `
set -eu
mkdir -p /host-paths/plugins/e2e/mount
mount -t tmpfs e2e /host-paths/plugins/e2e/mount
echo driver >/host-paths/plugins/e2e/mount/page
for folder in cni-bin cni-conf devices registration; do touch /host-paths/$folder/.e2e && rm /host-paths/$folder/.e2e; done
mkdir -p /tmp/www && echo "$NODE" >/tmp/www/index.html
exec httpd -f -p 8080 -h /tmp/www
`;

/** A driver as CNI and CSI projects write it: privileged, host paths, Bidirectional propagation, a port of each host. */
export function driver(image: string): object[] {
  const labels = { app: 'driver' };
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: NAMESPACE, labels: { 'pod-security.kubernetes.io/enforce': 'privileged', e2e: 'addons' } },
    },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: UNLABELLED } },
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'driver', namespace: NAMESPACE },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            tolerations: [{ operator: 'Exists' }],
            terminationGracePeriodSeconds: 0,
            priorityClassName: 'system-node-critical',
            containers: [
              {
                name: 'driver',
                image,
                command: ['sh', '-c', DRIVER],
                env: [{ name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
                ports: [{ containerPort: 8080, hostPort: HOST_PORT }],
                securityContext: { privileged: true },
                volumeMounts: [
                  ...Object.keys(HOST_PATHS).map((name) => ({
                    name,
                    mountPath: `/host-paths/${name}`,
                    ...(BIDIRECTIONAL.includes(name) ? { mountPropagation: 'Bidirectional' } : {}),
                  })),
                  { name: 'token', mountPath: '/token' },
                  { name: 'scratch', mountPath: '/scratch', subPathExpr: '$(NODE)' },
                ],
              },
            ],
            volumes: [
              ...Object.entries(HOST_PATHS).map(([name, hostPath]) => ({ name, hostPath })),
              {
                name: 'token',
                projected: { sources: [{ serviceAccountToken: { path: 'token', audience: 'vault' } }] },
              },
              { name: 'scratch', emptyDir: {} },
            ],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'driver', namespace: NAMESPACE },
      spec: { type: 'NodePort', selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
    },
  ];
}

const EXTENSION_SERVER = readFileSync(fileURLToPath(new URL('./extension.py', import.meta.url)), 'utf8');

/** An aggregated API server and a mutating webhook, as operators bring them: one pod, one service, both registrations. */
export function extension(image: string, ca: Issued, serving: Issued): object[] {
  const labels = { app: EXTENSION };
  const caBundle = Buffer.from(ca.cert).toString('base64');
  return [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: EXTENSION, namespace: NAMESPACE },
      data: { 'server.py': EXTENSION_SERVER },
    },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: EXTENSION, namespace: NAMESPACE },
      type: 'kubernetes.io/tls',
      stringData: { 'tls.crt': serving.cert, 'tls.key': serving.key },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: EXTENSION, namespace: NAMESPACE },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 0,
            containers: [
              {
                name: 'server',
                image,
                command: ['/usr/bin/python3', '/app/server.py'],
                readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 },
                volumeMounts: [
                  { name: 'code', mountPath: '/app/server.py', subPath: 'server.py' },
                  { name: 'tls', mountPath: '/tls' },
                ],
              },
            ],
            volumes: [
              { name: 'code', configMap: { name: EXTENSION } },
              { name: 'tls', secret: { secretName: EXTENSION } },
            ],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: EXTENSION, namespace: NAMESPACE },
      spec: { selector: labels, ports: [{ port: 443, targetPort: 8443 }] },
    },
    {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: `v1.${GROUP}` },
      spec: {
        group: GROUP,
        version: 'v1',
        groupPriorityMinimum: 1000,
        versionPriority: 15,
        caBundle,
        service: { name: EXTENSION, namespace: NAMESPACE },
      },
    },
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: EXTENSION },
      webhooks: [
        {
          name: `mutate.${GROUP}`,
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          failurePolicy: 'Fail',
          namespaceSelector: { matchLabels: { e2e: 'addons' } },
          objectSelector: { matchLabels: { mutate: 'me' } },
          rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['CREATE'] }],
          clientConfig: { caBundle, service: { name: EXTENSION, namespace: NAMESPACE, path: '/mutate' } },
        },
      ],
    },
  ];
}
