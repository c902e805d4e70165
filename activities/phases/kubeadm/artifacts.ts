import { defineArtifact } from '../../artifacts/artifact.ts';
import { defineImage, type Image } from '../../artifacts/image.ts';
import { DEFAULT_KUBERNETES_VERSION } from '../../kube/artifacts.ts';

export const KUBEADM = defineArtifact({
  name: 'kubeadm',
  version: DEFAULT_KUBERNETES_VERSION,
  followsKubernetes: true,
  onDemand: true,
  format: 'binary',
  path: (version, arch) => `kubernetes/v${version}/bin/linux/${arch}/kubeadm`,
  url: (version, arch) => `https://dl.k8s.io/release/v${version}/bin/linux/${arch}/kubeadm`,
  members: () => [{ path: '', name: 'kubeadm' }],
  otherwise: 'beside',
});

/** Daemons that kubeadm runs as static pods, and about how large their images are, MiB. */
const DAEMONS = { 'kube-apiserver': 34, 'kube-controller-manager': 31, 'kube-scheduler': 24 } as const;
export type Daemon = keyof typeof DAEMONS;
export const DAEMON_NAMES = Object.keys(DAEMONS) as Daemon[];

/** kubeadm names images `<repository>/<daemon>:v<version of Kubernetes>`. */
const daemonImage = (name: Daemon, version: string): Image<false> =>
  defineImage({
    name,
    version: `v${version}`,
    followsKubernetes: true,
    upstream: `registry.k8s.io/${name}:v${version}`,
    required: false,
    onDemand: true,
    sizeMiB: DAEMONS[name],
  });

const etcdImage = (version: string): Image<false> =>
  defineImage({
    name: 'etcd',
    version: `${version}-0`,
    upstream: `registry.k8s.io/etcd:${version}-0`,
    required: false,
    onDemand: true,
    sizeMiB: 25,
  });

/** Images of the catalogue's Kubernetes. */
export const DAEMON_IMAGES = {
  'kube-apiserver': daemonImage('kube-apiserver', DEFAULT_KUBERNETES_VERSION),
  'kube-controller-manager': daemonImage('kube-controller-manager', DEFAULT_KUBERNETES_VERSION),
  'kube-scheduler': daemonImage('kube-scheduler', DEFAULT_KUBERNETES_VERSION),
} as const satisfies Record<Daemon, Image<false>>;

/** etcd as a static pod. */
export const ETCD_IMAGE = etcdImage('3.6.14');

/** The images of the static pods, by the versions of Kubernetes and etcd; etcd null: it is no static pod. */
export const staticPodImages = ({ kubernetes, etcd }: { kubernetes: string; etcd: string | null }): Image[] => [
  ...DAEMON_NAMES.map((name) =>
    kubernetes === DEFAULT_KUBERNETES_VERSION ? DAEMON_IMAGES[name] : daemonImage(name, kubernetes),
  ),
  ...(etcd === null ? [] : [`${etcd}-0` === ETCD_IMAGE.version ? ETCD_IMAGE : etcdImage(etcd)]),
];
