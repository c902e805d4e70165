import { parse } from 'yaml';

/** What a kubeadm or one of ours makes of the same small cluster, in a form in which the two can be compared. */
export interface Rendering {
  /** Component → flag without dashes → value. */
  flags: Record<string, Record<string, string>>;
  /** `kubelet` and `kube-proxy` → key of their configuration file, parts joined by dots → value. */
  config: Record<string, Record<string, string>>;
  /** Words of the Corefile, one directive a line. */
  corefile: string[];
  node: { labels: string[]; taints: string[] };
  /** Objects in the cluster: `ClusterRole name`, `kube-system/ConfigMap name`. */
  objects: string[];
  /** Labels and annotations of the Service kube-dns, by which others find it. */
  dnsService: Record<string, string>;
}

/** A control plane that takes no pods, with etcd on it: the name, addresses and ranges of test/golden's sample. */
export const KUBEADM_CONFIG = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: { advertiseAddress: 10.20.0.11, bindPort: 6443 }
nodeRegistration: { name: cp-1, criSocket: "unix:///run/containerd/containerd.sock" }
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
clusterName: sample
networking: { podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/16, dnsDomain: cluster.local }
`;

/** Part of a Kubernetes object that is looked at. */
interface KubeObject {
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  data?: Record<string, string>;
}

/** `--key=value` words as a table; a flag alone is true. */
export const flagTable = (words: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    words
      .filter((word) => word.startsWith('--'))
      .map((word) => {
        const [key = '', ...value] = word.slice(2).split('=');
        return [key, value.length > 0 ? value.join('=') : 'true'] as const;
      })
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );

/** Values that mean "the default" in the configuration files of Kubernetes. */
const ZERO = new Set(['0s', '0', 'null', '""', '{}', '[]']);

/** A configuration file as a table of its leaves; what says "the default", its kind and its version are left out. */
export function configTable(yaml: string): Record<string, string> {
  const found: [string, string][] = [];
  const walk = (value: unknown, path: string): void => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0) {
      for (const [key, each] of Object.entries(value)) walk(each, path === '' ? key : `${path}.${key}`);
      return;
    }
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    if (!ZERO.has(text) && text !== '') found.push([path, text]);
  };
  const { apiVersion: _version, kind: _kind, ...rest } = parse(yaml) as Record<string, unknown>;
  walk(rest, '');
  return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A Corefile as its directives, blanks made equal. */
export const corefileLines = (text: string): string[] => {
  const above: string[] = [];
  return text.split('\n').flatMap((raw) => {
    const line = raw.trim().replaceAll(/\s+/g, ' ');
    if (line === '}') above.pop();
    if (line === '' || line === '}') return [];
    const words = line.replace(/ \{$/, '');
    const fullPath = [...above, words].join(' / ');
    if (line.endsWith('{')) above.push(words.split(' ')[0]!);
    return [fullPath];
  });
};

/** `kube-system/ConfigMap coredns`, `ClusterRole admin`. */
export const objectName = ({ kind, metadata: { namespace, name } }: KubeObject): string =>
  `${namespace === undefined ? '' : `${namespace}/`}${kind} ${name}`;

export const dnsServiceOf = (objects: readonly object[]): Record<string, string> => {
  const service = (objects as KubeObject[]).find(
    ({ kind, metadata }) => kind === 'Service' && metadata.name === 'kube-dns',
  );
  return { ...service?.metadata.labels, ...service?.metadata.annotations };
};

/** Reads what `kubeadm init --dry-run` prints. Throws an Error where a part of it is missing. */
export function parseDryRun(output: string): Rendering {
  const files = new Map<string, string>();
  const objects: KubeObject[] = [];
  for (const part of output.split(/^(?=\[)/m)) {
    const [head = '', ...rest] = part.split('\n');
    const file = /^\[dryrun\] Would write file "([^"]+)" with content:/.exec(head)?.[1];
    if (file) files.set(file, rest.join('\n'));
    else if (head === '[dryrun] Attached object:') objects.push(parse(rest.join('\n')) as KubeObject);
  }
  const file = (path: string): string => {
    const content = files.get(path);
    if (content === undefined) throw new Error(`kubeadm wrote no ${path}`);
    return content;
  };
  const command = (name: string): string[] => {
    const pod = parse(file(`/etc/kubernetes/manifests/${name}.yaml`)) as {
      spec: { containers: { command: string[] }[] };
    };
    return pod.spec.containers[0]!.command;
  };
  const configMap = (name: string, key: string): string => {
    const content = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name)?.data?.[key];
    if (content === undefined) throw new Error(`kubeadm made no ConfigMap ${name} with ${key}`);
    return content;
  };
  const marked = (what: string): string[] =>
    (new RegExp(`by adding the ${what}:? \\[([^\\]]*)\\]`).exec(output)?.[1] ?? '')
      .split(' ')
      .filter((word) => word !== '');
  const kubeletFlags = /KUBELET_KUBEADM_ARGS="([^"]*)"/.exec(file('/var/lib/kubelet/kubeadm-flags.env'))?.[1] ?? '';
  return {
    flags: {
      ...Object.fromEntries(
        ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'].map((name) => [
          name,
          flagTable(command(name)),
        ]),
      ),
      kubelet: flagTable(kubeletFlags.split(' ')),
    },
    config: {
      kubelet: configTable(file('/var/lib/kubelet/config.yaml')),
      'kube-proxy': configTable(configMap('kube-proxy', 'config.conf')),
    },
    corefile: corefileLines(configMap('coredns', 'Corefile')),
    node: { labels: marked('labels'), taints: marked('taints') },
    // The token is another one each time; the node is the kubelet's.
    objects: [
      ...new Set(
        objects
          .filter(({ kind }) => kind !== 'Node')
          .map((each) => objectName(each).replace(/bootstrap-token-\w+$/, 'bootstrap-token-*')),
      ),
    ].sort(),
    dnsService: dnsServiceOf(objects),
  };
}
