import { stringify } from 'yaml';
import type { Argument } from '../../kube/kubeadm.ts';

/** API of kubeadm since Kubernetes 1.31. */
const API = 'kubeadm.k8s.io/v1beta4';

/** A folder or file of the host in a static pod. */
export interface Volume {
  name: string;
  /** The same in the pod. */
  path: string;
  readOnly: boolean;
  pathType: 'DirectoryOrCreate' | 'Directory' | 'File';
}

interface Component {
  extraArgs: readonly Argument[];
  extraVolumes?: readonly Volume[];
}

/** What of the configuration is the host's own. */
export interface HostPart {
  name: string;
  /** Undefined: kubeadm takes the address of the default route. */
  advertiseAddress: string | undefined;
  port: number;
  criSocket: string;
  taints: readonly object[];
  ignorePreflightErrors: readonly string[];
  /** Folder of changes to static pods; null: the host has none. */
  patches: string | null;
}

export type EtcdPart =
  | { local: { dataDir: string; imageTag: string; extraArgs: readonly Argument[] } }
  | { external: { endpoints: readonly string[]; caFile: string; certFile: string; keyFile: string } };

/** What of the configuration is the cluster's. */
export interface ClusterPart {
  name: string;
  kubernetesVersion: string;
  /** host:port */
  endpoint: string;
  /** Undefined: kubeadm's. */
  imageRepository: string | undefined;
  network: { podCidr: string; serviceCidr: string; clusterDomain: string };
  certificateNames: readonly string[];
  apiServer: Component;
  controllerManager: Component;
  scheduler: Component;
  etcd: EtcdPart;
}

const nodeRegistration = (host: HostPart): object => ({
  name: host.name,
  criSocket: `unix://${host.criSocket}`,
  // The kubelet pulls the images of static pods; kubeadm would pull those of add-ons as well, which are ours.
  imagePullPolicy: 'Never',
  // None is another thing than nothing said: kubeadm then takes the one of a control plane.
  taints: [...host.taints],
  ...(host.ignorePreflightErrors.length > 0 ? { ignorePreflightErrors: [...host.ignorePreflightErrors] } : {}),
});

const patchesOf = ({ patches }: HostPart): object => (patches === null ? {} : { patches: { directory: patches } });

const localApiEndpoint = ({ advertiseAddress, port }: HostPart): object => ({
  ...(advertiseAddress === undefined ? {} : { advertiseAddress }),
  bindPort: port,
});

const component = ({ extraArgs, extraVolumes = [] }: Component): object => ({
  extraArgs: [...extraArgs],
  ...(extraVolumes.length > 0
    ? {
        extraVolumes: extraVolumes.map(({ name, path, readOnly, pathType }) => ({
          name,
          hostPath: path,
          mountPath: path,
          readOnly,
          pathType,
        })),
      }
    : {}),
});

/** Who owns kube-proxy and CoreDNS: our phases do. */
const SKIPPED = ['addon/coredns', 'addon/kube-proxy'];

const initConfiguration = (host: HostPart): object => ({
  apiVersion: API,
  kind: 'InitConfiguration',
  localAPIEndpoint: localApiEndpoint(host),
  nodeRegistration: nodeRegistration(host),
  ...patchesOf(host),
  skipPhases: [...SKIPPED],
  // kubeadm makes one in any case. Each join has one of its own, and this one is deleted.
  bootstrapTokens: [{ ttl: '5m0s', usages: ['signing', 'authentication'], groups: [JOINERS] }],
});

/** Group of hosts that join with a token, whose certificates the controller manager signs. */
const JOINERS = 'system:bootstrappers:kubeadm:default-node-token';

const clusterConfiguration = (cluster: ClusterPart): object => ({
  apiVersion: API,
  kind: 'ClusterConfiguration',
  clusterName: cluster.name,
  kubernetesVersion: `v${cluster.kubernetesVersion}`,
  controlPlaneEndpoint: cluster.endpoint,
  ...(cluster.imageRepository === undefined ? {} : { imageRepository: cluster.imageRepository }),
  // As our own authorities.
  encryptionAlgorithm: 'ECDSA-P256',
  networking: {
    podSubnet: cluster.network.podCidr,
    serviceSubnet: cluster.network.serviceCidr,
    dnsDomain: cluster.network.clusterDomain,
  },
  apiServer: { certSANs: [...cluster.certificateNames], ...component(cluster.apiServer) },
  controllerManager: component(cluster.controllerManager),
  scheduler: component(cluster.scheduler),
  etcd: cluster.etcd,
});

const documents = (...all: readonly object[]): string =>
  all.map((each) => stringify(each, { lineWidth: 0 })).join('---\n');

/** The file that `kubeadm init` and its phases read on a control plane. */
export const initFile = (host: HostPart, cluster: ClusterPart, more: { kubelet: object; kubeProxy: object }): string =>
  documents(initConfiguration(host), clusterConfiguration(cluster), more.kubelet, more.kubeProxy);

/** The file with which `kubeadm init phase bootstrap-token` makes the token of one join. Minutes: joins wait for images. */
export const tokenFile = (host: HostPart, cluster: ClusterPart, token: string): string =>
  documents(
    {
      ...initConfiguration(host),
      bootstrapTokens: [{ token, ttl: '10m0s', usages: ['signing', 'authentication'], groups: [JOINERS] }],
    },
    clusterConfiguration(cluster),
  );

/** The file of `kubeadm join`. `apiServer`: address and port of a control plane that serves. */
export const joinFile = (
  host: HostPart,
  join: { apiServer: string; token: string; caCertHash: string; controlPlane: boolean },
): string =>
  documents({
    apiVersion: API,
    kind: 'JoinConfiguration',
    discovery: {
      bootstrapToken: {
        token: join.token,
        apiServerEndpoint: join.apiServer,
        caCertHashes: [join.caCertHash],
      },
    },
    nodeRegistration: nodeRegistration(host),
    ...(join.controlPlane ? { controlPlane: { localAPIEndpoint: localApiEndpoint(host) } } : {}),
    ...patchesOf(host),
  });
