import { desiredLabels, desiredTaints } from '../../../activities/kube/node-taints.ts';
import dns from '../../../activities/phases/dns/phase.ts';
import etcd from '../../../activities/phases/etcd/phase.ts';
import master from '../../../activities/phases/master/phase.ts';
import nodes from '../../../activities/phases/nodes/phase.ts';
import type { Phase } from '../../../activities/phases/phase.ts';
import type { Resource } from '../../../activities/resources/resource.ts';
import {
  configTable,
  corefileLines,
  dnsServiceOf,
  flagTable,
  objectName,
  type Rendering,
} from '../../../cli/dev/kubeadm/rendering.ts';
import { sampleContext } from '../golden.ts';

/** The cluster of KUBEADM_CONFIG, in our words. */
const HOSTS = [{ name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd'] }];

type Fields = Resource & { unit?: string; content?: string; objects?: Parameters<typeof objectName>[0][] };

async function resourcesOf(phase: Phase): Promise<Fields[]> {
  const context = await sampleContext(phase, { hosts: HOSTS, host: 'cp-1' });
  return [...((await phase.resources?.(context)) ?? [])];
}

/** The words of ExecStart. None of our own flags holds a blank. */
function execOf(resources: readonly Fields[], unit: string): string[] {
  const text = resources.find((each) => each.unit !== undefined && each.id.replace(/\.service$/, '') === unit)?.unit;
  const command = /^ExecStart=((?:.*\\\n)*.*)$/m.exec(text ?? '')?.[1];
  if (command === undefined) throw new Error(`no unit ${unit} with ExecStart`);
  return command.split(/[\s\\]+/).filter((word) => word !== '');
}

function contentOf(resources: readonly Fields[], path: string): string {
  const found = resources.find(({ id }) => id === path)?.content;
  if (typeof found !== 'string') throw new Error(`no file ${path}`);
  return found;
}

/** etcd's flags from its environment files: ETCD_CLIENT_CERT_AUTH is --client-cert-auth. */
const etcdFlags = (environment: string): string[] =>
  [...environment.matchAll(/^ETCD_([A-Z0-9_]+)=(.*)$/gm)].map(
    ([, name = '', value = '']) => `--${name.toLowerCase().replaceAll('_', '-')}=${value}`,
  );

/** What our phases make of the same cluster. */
export async function ours(): Promise<Rendering> {
  const [control, node, members, names] = await Promise.all([master, nodes, etcd, dns].map(resourcesOf));
  const objects = [...control!, ...names!].flatMap((each) => each.objects ?? []);
  const corefile = (names ?? []).flatMap((each) => each.objects ?? []).find(({ kind }) => kind === 'ConfigMap');
  const host = (await sampleContext(master, { hosts: HOSTS, host: 'cp-1' })).host;
  return {
    flags: {
      etcd: flagTable(etcdFlags(contentOf(members!, '/etc/etcd/etcd.env'))),
      ...Object.fromEntries(
        ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'].map((unit) => [
          unit,
          flagTable(execOf(control!, unit)),
        ]),
      ),
      kubelet: flagTable(execOf(node!, 'kubelet')),
    },
    config: {
      kubelet: configTable(contentOf(node!, '/etc/kubernetes/kubelet.yaml')),
      'kube-proxy': configTable(contentOf(node!, '/etc/kubernetes/kube-proxy.yaml')),
    },
    corefile: corefileLines(corefile?.data?.['Corefile'] ?? ''),
    node: {
      labels: Object.keys(desiredLabels(host)),
      taints: desiredTaints(host).map(({ key, effect }) => `${key}:${effect}`),
    },
    objects: objects.map(objectName).sort(),
    dnsService: dnsServiceOf(objects),
  };
}
