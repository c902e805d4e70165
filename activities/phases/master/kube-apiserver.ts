import { OUR_PLUGINS } from '../../kube/options/admission-plugins.ts';
import { TLS_CIPHER_SUITES, TLS_MIN_VERSION } from '../../kube/tls.ts';
import type { FlagValues } from '../../render/unit.ts';

interface Pair {
  cert: string;
  key: string;
}

/** What one API server is to do; paths of files on its host. */
export interface ApiServerConfig {
  port: number;
  /** Address that the service `kubernetes` leads to; undefined = that of the default route. */
  advertiseAddress?: string | undefined;
  serviceCidr: string;
  clusterDomain: string;
  etcdServers: readonly string[];
  /** Undefined: that of kube-apiserver. */
  etcdPrefix: string | undefined;
  etcdCa: string;
  etcdClient: Pair;
  clientCa: string;
  serving: Pair;
  kubeletCa: string;
  kubeletClient: Pair;
  serviceAccountPublicKey: string;
  serviceAccountPrivateKey: string;
  frontProxyCa: string;
  frontProxyName: string;
  frontProxyClient: Pair;
  encryptionConfig: string;
  admissionConfig: string;
  /** How long balancers may take to send nothing new to a server that says it is not ready, seconds; 0: nothing asks. */
  drainSeconds: number;
  audit?: { policy: string; log: string; maxAgeDays: number; maxBackups: number; maxSizeMiB: number } | undefined;
  /** Flags of typed options, over ours. */
  typed: Readonly<Record<string, string | number | boolean | undefined>>;
  extraArgs: Readonly<Record<string, string>>;
}

/** The flags of kube-apiserver, in their order. */
export function apiServerArguments(config: ApiServerConfig): FlagValues {
  const { audit } = config;
  return {
    'advertise-address': config.advertiseAddress,
    'secure-port': config.port,
    'anonymous-auth': false,
    'authorization-mode': 'Node,RBAC',
    // Network and storage drivers are privileged pods; which namespaces may have them is decided by Pod Security.
    'allow-privileged': true,
    'enable-admission-plugins': OUR_PLUGINS.join(','),
    'admission-control-config-file': config.admissionConfig,
    'client-ca-file': config.clientCa,
    'tls-cert-file': config.serving.cert,
    'tls-private-key-file': config.serving.key,
    'tls-min-version': TLS_MIN_VERSION,
    'tls-cipher-suites': TLS_CIPHER_SUITES.join(','),
    'etcd-servers': config.etcdServers.join(','),
    'etcd-prefix': config.etcdPrefix,
    'etcd-cafile': config.etcdCa,
    'etcd-certfile': config.etcdClient.cert,
    'etcd-keyfile': config.etcdClient.key,
    'encryption-provider-config': config.encryptionConfig,
    'kubelet-certificate-authority': config.kubeletCa,
    'kubelet-client-certificate': config.kubeletClient.cert,
    'kubelet-client-key': config.kubeletClient.key,
    // Names last: they need not resolve anywhere.
    'kubelet-preferred-address-types': 'InternalIP,ExternalIP,Hostname',
    'service-cluster-ip-range': config.serviceCidr,
    // Tokens of pods are valid for an hour, and renewed; not for a year, as the default for old clients.
    'service-account-extend-token-expiration': false,
    'service-account-lookup': true,
    'service-account-issuer': `https://kubernetes.default.svc.${config.clusterDomain}`,
    'service-account-key-file': config.serviceAccountPublicKey,
    'service-account-signing-key-file': config.serviceAccountPrivateKey,
    'requestheader-client-ca-file': config.frontProxyCa,
    'requestheader-allowed-names': config.frontProxyName,
    'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
    'requestheader-group-headers': 'X-Remote-Group',
    'requestheader-username-headers': 'X-Remote-User',
    'proxy-client-cert-file': config.frontProxyClient.cert,
    'proxy-client-key-file': config.frontProxyClient.key,
    // Straight to the pods of aggregated API servers: does not wait for kube-proxy.
    'enable-aggregator-routing': true,
    'audit-policy-file': audit?.policy,
    'audit-log-path': audit?.log,
    'audit-log-maxage': audit?.maxAgeDays,
    'audit-log-maxbackup': audit?.maxBackups,
    'audit-log-maxsize': audit?.maxSizeMiB,
    profiling: false,
    // Without it, a restart waits up to a minute for idle connections; with it, the server asks clients to retry.
    'shutdown-send-retry-after': true,
    // /readyz fails at once, and it goes on serving until balancers have seen that.
    'shutdown-delay-duration': config.drainSeconds > 0 ? `${config.drainSeconds}s` : undefined,
    // Kept connections spread again over the servers behind the balancer, one request in a thousand.
    'goaway-chance': config.drainSeconds > 0 ? '0.001' : undefined,
    ...config.typed,
    ...config.extraArgs,
  };
}
