import { type ClusterSpec, hostsWithRole, internalAddress } from '../../../contracts/cluster.ts';
import * as identities from '../../kube/identities.ts';
import { imageRepository } from '../../kube/images.ts';
import { argumentList } from '../../kube/kubeadm.ts';
import { dnsServiceAddress, internalIpv4 } from '../../kube/network.ts';
import { desiredTaints } from '../../kube/node-taints.ts';
import { API_SERVER_PORT, ETCD_CLIENT_PORT, KUBERNETES_DIR } from '../../kube/paths.ts';
import { TLS_CIPHER_SUITES } from '../../kube/tls.ts';
import type { FlagValues } from '../../render/unit.ts';
import { containerRuntime } from '../capabilities/container-runtime.ts';
import { controlPlaneEndpoint } from '../capabilities/control-plane-endpoint.ts';
import { kubernetesStore } from '../capabilities/kubernetes-store.ts';
import { etcdOptions } from '../etcd/public.ts';
import * as master from '../master/public.ts';
import { nodeOptions, proxyMode } from '../nodes/public.ts';
import { deepMerge, rawPhaseOptions } from '../options.ts';
import type { PhaseContext } from '../phase.ts';
import { staticPodImages } from './artifacts.ts';
import type { ClusterPart, EtcdPart, HostPart, Volume } from './config.ts';
import { KUBEADM_FILES as FILES } from './paths.ts';

type Context = PhaseContext<master.MasterOptions>;

/** Flags that kubeadm sets itself, from its own fields and the places of its certificates. */
const OWN_FLAGS = {
  apiServer: new Set([
    ...['advertise-address', 'secure-port', 'authorization-mode', 'client-ca-file', 'tls-cert-file'],
    ...['tls-private-key-file', 'etcd-servers', 'etcd-cafile', 'etcd-certfile', 'etcd-keyfile'],
    ...['kubelet-client-certificate', 'kubelet-client-key', 'kubelet-preferred-address-types'],
    ...['service-cluster-ip-range', 'service-account-issuer', 'service-account-key-file'],
    ...['service-account-signing-key-file', 'requestheader-client-ca-file', 'requestheader-allowed-names'],
    ...['requestheader-extra-headers-prefix', 'requestheader-group-headers', 'requestheader-username-headers'],
    ...['proxy-client-cert-file', 'proxy-client-key-file'],
    // A file of ours says at which paths.
    'anonymous-auth',
  ]),
  controllers: new Set([
    ...['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig', 'client-ca-file'],
    ...['requestheader-client-ca-file', 'leader-elect', 'cluster-name', 'cluster-cidr'],
    ...['service-cluster-ip-range', 'cluster-signing-cert-file', 'cluster-signing-key-file', 'root-ca-file'],
    ...['service-account-private-key-file', 'use-service-account-credentials'],
  ]),
} as const;

/** Files of ours in the pod of kube-apiserver. */
export const SETTINGS = {
  encryption: `${FILES.apiServerDir}/encryption-config.yaml`,
  admission: `${FILES.apiServerDir}/admission.yaml`,
  auditPolicy: `${FILES.apiServerDir}/audit-policy.yaml`,
  authentication: `${FILES.apiServerDir}/authentication.yaml`,
} as const;

const pair = (path: string) => ({ cert: `${path}.crt`, key: `${path}.key` });
export const SERVING = {
  controllerManager: pair(`${FILES.servingDir}/controller-manager`),
  scheduler: pair(`${FILES.servingDir}/scheduler`),
} as const;

/** What kubeadm sets is left out, unless the spec sets the flag. */
function extraArgs(values: FlagValues, own: ReadonlySet<string>, given: Readonly<Record<string, string>>) {
  return argumentList(values, new Set([...own].filter((name) => !Object.hasOwn(given, name))));
}

/** The flags of the three daemons beside those of kubeadm. */
function daemonParts(context: Context): Pick<ClusterPart, 'apiServer' | 'controllerManager' | 'scheduler'> {
  const { options } = context;
  const flags = master.daemonArguments(
    context,
    {
      ca: `${FILES.ca}.crt`,
      caKey: `${FILES.ca}.key`,
      frontProxyCa: `${FILES.frontProxyCa}.crt`,
      etcdCa: FILES.etcdCaCopy,
      serviceAccountPublic: `${FILES.serviceAccount}.pub`,
      serviceAccountPrivate: `${FILES.serviceAccount}.key`,
      ...SETTINGS,
      managerKubeconfig: `${KUBERNETES_DIR}/controller-manager.conf`,
      schedulerKubeconfig: `${KUBERNETES_DIR}/scheduler.conf`,
    },
    {
      serving: pair(FILES.apiServerCert),
      kubelets: pair(`${FILES.apiServerCert}-kubelet-client`),
      etcdClient: pair(FILES.etcdClient),
      frontProxy: pair(`${FILES.apiServerCert.replace(/apiserver$/, 'front-proxy-client')}`),
      managerServing: SERVING.controllerManager,
      schedulerServing: SERVING.scheduler,
    },
  );
  const { apiServer, controllerManager, scheduler } = options;
  // The flag, and the file that says at which paths, exclude each other.
  const anonymous = Object.hasOwn(apiServer.extraArgs, 'anonymous-auth')
    ? {}
    : {
        'authentication-config': SETTINGS.authentication,
        ...pickDefined(apiServer.extraArgs, 'authentication-config'),
      };
  const serving = volume('serving', FILES.servingDir);
  return {
    apiServer: {
      extraArgs: extraArgs({ ...flags.apiServer, ...anonymous }, OWN_FLAGS.apiServer, apiServer.extraArgs),
      extraVolumes: [
        volume('settings', FILES.apiServerDir),
        { name: 'audit-log', path: master.AUDIT_DIR, readOnly: false, pathType: 'DirectoryOrCreate' },
      ],
    },
    controllerManager: {
      extraArgs: extraArgs(flags.controllerManager, OWN_FLAGS.controllers, controllerManager.extraArgs),
      extraVolumes: [serving],
    },
    scheduler: {
      extraArgs: extraArgs(flags.scheduler, OWN_FLAGS.controllers, scheduler.extraArgs),
      extraVolumes: [serving],
    },
  };
}

const pickDefined = (values: Readonly<Record<string, string>>, name: string): Record<string, string> =>
  values[name] === undefined ? {} : { [name]: values[name] };

const volume = (name: string, path: string): Volume => ({ name, path, readOnly: true, pathType: 'Directory' });

/** The store is etcd as static pods of kubeadm, and not members of ours or of others. Pure. */
export const isStacked = (cluster: ClusterSpec): boolean => kubernetesStore.chosen?.by(cluster) === 'stacked-etcd';

function etcdPart(context: Context): EtcdPart {
  const { cluster, offer } = context;
  const store = offer(kubernetesStore);
  if (!isStacked(cluster)) {
    // By addresses, which are the same on all control planes: a pod reads /etc/hosts when it starts.
    const members = hostsWithRole(cluster, 'etcd').map(
      (host) => `https://${internalAddress(host)}:${ETCD_CLIENT_PORT}`,
    );
    return {
      external: {
        endpoints: store.clientCertificate === null ? members : store.servers,
        caFile: FILES.etcdCaCopy,
        ...{ certFile: `${FILES.etcdClient}.crt`, keyFile: `${FILES.etcdClient}.key` },
      },
    };
  }
  const options = etcdOptions.parse(rawPhaseOptions(cluster, 'etcd'));
  return {
    local: {
      dataDir: options.dataDir,
      imageTag: `${options.version}-0`,
      extraArgs: argumentList({
        'cipher-suites': TLS_CIPHER_SUITES.join(','),
        'tls-min-version': 'TLS1.2',
        'quota-backend-bytes': options.quotaBytes,
        'heartbeat-interval': options.heartbeatMs,
        'election-timeout': options.electionMs,
      }),
    },
  };
}

/** The images of the static pods of this cluster. Pure. */
export const imagesOf = (cluster: ClusterSpec) =>
  staticPodImages({
    kubernetes: cluster.spec.kubernetes.version,
    etcd: isStacked(cluster) ? etcdOptions.parse(rawPhaseOptions(cluster, 'etcd')).version : null,
  });

/**
 * Names that all control planes have in common: of the rest, kubeadm adds the name of the host and the address that it advertises. A host
 * that joins takes them from the cluster's copy, which the control plane before it has uploaded.
 */
const commonNames = ({ host }: Context, names: readonly string[]): string[] =>
  names.filter((name) => name !== host.name && name !== internalIpv4(host));

/** The whole ClusterConfiguration. `names`: of the certificate of the API server. */
export async function clusterPart(context: Context, names: readonly string[]): Promise<ClusterPart> {
  const { cluster } = context;
  const { podCidr, serviceCidr, clusterDomain } = cluster.spec.network;
  const endpoint = context.offer(controlPlaneEndpoint);
  return {
    name: cluster.metadata.name,
    kubernetesVersion: cluster.spec.kubernetes.version,
    endpoint: `${endpoint.host}:${endpoint.port}`,
    imageRepository: await imageRepository(context, imagesOf(cluster)),
    network: { podCidr, serviceCidr, clusterDomain },
    certificateNames: commonNames(context, names),
    ...daemonParts(context),
    etcd: etcdPart(context),
  };
}

/** What of the configuration is the host's own. `patches` null: it has no static pods. */
export function hostPart(context: PhaseContext<unknown>, patches: string | null): HostPart {
  const { host, facts } = context;
  return {
    name: host.name,
    advertiseAddress: internalIpv4(host),
    port: API_SERVER_PORT,
    criSocket: context.offer(containerRuntime).socket,
    taints: desiredTaints(host),
    ignorePreflightErrors: [
      // Our preflight lets control groups of version 1 pass where the spec allows them to the kubelet, and nowhere else.
      ...(facts.cgroup === 1 ? ['SystemVerification'] : []),
      // Our file, with the authority that the join is pinned to; kubeadm refuses it on workers alone.
      ...(patches === null ? ['FileAvailable--etc-kubernetes-pki-ca.crt'] : []),
    ],
    patches,
  };
}

/** The cluster's part of the configuration of kubelets and kube-proxies, which kubeadm uploads. */
export function nodeParts(context: Context): { kubelet: object; kubeProxy: object } {
  const { cluster, offer } = context;
  const { kubelet, kubeProxy } = nodeOptions.parse(rawPhaseOptions(cluster, 'nodes'));
  const mode = proxyMode(kubeProxy);
  return {
    kubelet: deepMerge(
      {
        apiVersion: 'kubelet.config.k8s.io/v1beta1',
        kind: 'KubeletConfiguration',
        cgroupDriver: offer(containerRuntime).cgroupDriver,
        clusterDomain: cluster.spec.network.clusterDomain,
        clusterDNS: [dnsServiceAddress(cluster)],
      },
      kubelet.config,
    ),
    kubeProxy: {
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      kind: 'KubeProxyConfiguration',
      ...(mode === 'none' ? {} : { mode }),
      clusterCIDR: cluster.spec.network.podCidr,
    },
  };
}

/** Names and addresses in the certificate of the API server: those of the spec, and what kubeadm adds by itself. */
export async function certificateNames(context: Context): Promise<string[]> {
  const { dnsNames = [], ipAddresses = [] } = await master.servingRequest(context);
  return [...dnsNames, ...ipAddresses];
}

/** Requests for the serving certificates of the daemons that listen on loopback. */
export const servingRequests = ({ host }: Context) => ({
  controllerManager: identities.loopbackServer('controller-manager', host),
  scheduler: identities.loopbackServer('scheduler', host),
});
