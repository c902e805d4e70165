import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { KUBE_WEB_VIEW } from '../../../activities/phases/dashboard/artifacts.ts';
import { kubeHosts } from '../../../contracts/cluster.ts';
import type { MatrixKit } from './kit.ts';
import { until } from './kit.ts';

/** One pod of the probe on each node, with a service, in a namespace of its own. */
export const NAMESPACE = 'kubewright-matrix';
const NAME = 'probe';
/** What the probe listens on. */
export const PROBE_PORT = 8080;
const PROBE = readFileSync(fileURLToPath(new URL('./probe.py', import.meta.url)), 'utf8');
const labels = { app: NAME };

export interface ProbePod {
  name: string;
  node: string;
  ip: string;
}
export interface ProbeService {
  ip: string;
  nodePort: number;
}
export interface Probe {
  pods: ProbePod[];
  service: ProbeService;
}
interface PodItem {
  metadata: { name: string };
  spec: { nodeName?: string };
  status: { podIP?: string };
}

/** Runs the probe in a pod, `name` or `namespace/name`; its standard output. */
export const runProbe = (kit: MatrixKit, pod: string, ...argv: string[]): Promise<string> =>
  kit.kubectl(['exec', ...placeOf(pod), '--', '/usr/bin/python3', '-c', PROBE, ...argv]);

/** Words of kubectl for a pod, `name` or `namespace/name`. */
function placeOf(pod: string): [string, string, string] {
  const [name = '', namespace = NAMESPACE] = pod.split('/').reverse();
  return ['-n', namespace, name];
}

/**
 * Brings the pods and their service up. The image comes from the cluster's registry: it has Python, which can set the flag
 * "do not fragment".
 */
export async function startProbe(kit: MatrixKit): Promise<Probe> {
  await kit.apply(await objects(kit));
  await kit.kubectl(['rollout', 'status', '-n', NAMESPACE, `daemonset/${NAME}`, '--timeout=180s']);
  const { items } = await kit.get<{ items: PodItem[] }>('pods', '-n', NAMESPACE, '-l', `app=${NAME}`);
  const pods = items.map(({ metadata, spec, status }) => ({
    name: metadata.name,
    node: spec.nodeName ?? '',
    ip: status.podIP ?? '',
  }));
  const nodes = kubeHosts(kit.cluster).map(({ name }) => name);
  const without = nodes.filter((node) => !pods.some((pod) => pod.node === node && pod.ip !== ''));
  if (without.length > 0) throw new Error(`no pod with an address on ${without.join(', ')}`);
  const { spec } = await kit.get<{ spec: { clusterIP: string; ports: { nodePort: number }[] } }>(
    'service',
    '-n',
    NAMESPACE,
    NAME,
  );
  return { pods, service: { ip: spec.clusterIP, nodePort: spec.ports[0]!.nodePort } };
}

/** Removes all of it, and waits until it is gone: the next build must find a cluster without it. */
export async function stopProbe(kit: MatrixKit): Promise<void> {
  await kit.kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--timeout=120s']);
}

/** A further pod of the probe, `name` or `namespace/name`, for tests of policies. */
export async function probePod(kit: MatrixKit, pod: string, more: Record<string, string>): Promise<void> {
  const [, namespace, name] = placeOf(pod);
  await kit.apply([
    { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, labels: more }, spec: await podSpec(kit) },
  ]);
  await kit.kubectl(['wait', '-n', namespace, `pod/${name}`, '--for=condition=Ready', '--timeout=120s']);
}

async function podSpec(kit: MatrixKit): Promise<object> {
  return {
    terminationGracePeriodSeconds: 0,
    enableServiceLinks: false,
    tolerations: [{ operator: 'Exists' }],
    containers: [
      {
        name: NAME,
        image: await kit.image(KUBE_WEB_VIEW),
        // The registry is asked each time, also where the node has the image.
        imagePullPolicy: 'Always',
        command: ['/usr/bin/python3', '-u', '-c', PROBE, 'serve', '$(NODE)'],
        env: [{ name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
        readinessProbe: { tcpSocket: { port: PROBE_PORT }, periodSeconds: 1 },
      },
    ],
  };
}

async function objects(kit: MatrixKit): Promise<object[]> {
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: { matrix: 'yes' } } },
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: NAME, namespace: NAMESPACE },
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: await podSpec(kit) } },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: NAME, namespace: NAMESPACE },
      spec: { type: 'NodePort', selector: labels, ports: [{ port: 80, targetPort: PROBE_PORT }] },
    },
  ];
}

/** Waits until each node has pulled the image of its pod, by the events of the cluster. */
export async function imagesPulled(kit: MatrixKit, pods: readonly ProbePod[]): Promise<void> {
  await until('events of pulled images', 30_000, async () => {
    const { items } = await kit.get<{ items: { involvedObject: { name: string }; message: string }[] }>(
      'events',
      '-n',
      NAMESPACE,
      '--field-selector=reason=Pulled',
    );
    const pulled = (pod: ProbePod) =>
      items.some(({ involvedObject, message }) => involvedObject.name === pod.name && /pulled image/i.test(message));
    const missing = pods.filter((pod) => !pulled(pod)).map(({ node }) => node);
    return missing.length === 0 ? null : `no "pulled image" on ${missing.join(', ')}`;
  });
}
