import { SYSTEM_NAMESPACE as namespace, restrictedContainer, restrictedPod } from '../../kube/manifests/common.ts';

export const SMOKE_NAME = 'kubewright-smoke';
const labels = { app: SMOKE_NAME };
const PORT = 8080;

/** A web server on each of the nodes (null: on all) that answers with the node's name, and a service before them all. */
export function smokeObjects(config: { image: string; nodes: readonly string[] | null }): object[] {
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: SMOKE_NAME, namespace, labels },
      spec: { selector: labels, ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: PORT }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: SMOKE_NAME, namespace, labels },
      spec: {
        selector: { matchLabels: labels },
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '100%' } },
        template: {
          metadata: { labels },
          spec: {
            automountServiceAccountToken: false,
            ...(config.nodes ? { affinity: onlyOn(config.nodes) } : {}),
            tolerations: [{ operator: 'Exists' }],
            terminationGracePeriodSeconds: 0,
            securityContext: restrictedPod(65534),
            containers: [
              {
                name: 'web',
                image: config.image,
                imagePullPolicy: 'IfNotPresent',
                command: ['sh', '-c', `echo "$NODE" >/www/index.html && exec httpd -f -p ${PORT} -h /www`],
                env: [{ name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
                resources: { requests: { cpu: '1m', memory: '8Mi' }, limits: { memory: '64Mi' } },
                // busybox' ping opens a raw socket: for packets of full size.
                securityContext: { ...restrictedContainer(['NET_RAW']), runAsUser: 0, runAsNonRoot: false },
                volumeMounts: [{ name: 'www', mountPath: '/www' }],
              },
            ],
            volumes: [{ name: 'www', emptyDir: { sizeLimit: '1Mi' } }],
          },
        },
      },
    },
  ];
}

/** A pod for a node that does not answer would never start. */
function onlyOn(nodes: readonly string[]): object {
  const expression = { key: 'kubernetes.io/hostname', operator: 'In', values: nodes };
  const required = { nodeSelectorTerms: [{ matchExpressions: [expression] }] };
  return { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } };
}
