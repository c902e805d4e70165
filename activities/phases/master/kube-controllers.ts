import { TLS_CIPHER_SUITES, TLS_MIN_VERSION } from '../../kube/tls.ts';
import type { FlagValues } from '../../render/unit.ts';

/** What kube-controller-manager and kube-scheduler have in common: one kubeconfig for all they ask, loopback only. */
interface LoopbackDaemon {
  port: number;
  kubeconfig: string;
  serving: { cert: string; key: string };
  /** Who may ask them, besides those with a token that the API server accepts. */
  clientCa: string;
  frontProxyCa: string;
  /** Flags of typed options, over ours. */
  typed: Readonly<Record<string, string | number | boolean | undefined>>;
  extraArgs: Readonly<Record<string, string>>;
}

const common = (config: LoopbackDaemon): Record<string, string | number | boolean> => ({
  kubeconfig: config.kubeconfig,
  'authentication-kubeconfig': config.kubeconfig,
  'authorization-kubeconfig': config.kubeconfig,
  'bind-address': '127.0.0.1',
  'secure-port': config.port,
  'client-ca-file': config.clientCa,
  'requestheader-client-ca-file': config.frontProxyCa,
  'tls-cert-file': config.serving.cert,
  'tls-private-key-file': config.serving.key,
  'tls-min-version': TLS_MIN_VERSION,
  'tls-cipher-suites': TLS_CIPHER_SUITES.join(','),
  'leader-elect': true,
  profiling: false,
});

export interface ControllerManagerConfig extends LoopbackDaemon {
  clusterName: string;
  podCidr: string;
  nodeCidrBits: number;
  /** Each node gets a part of the pods' range from it; otherwise the pod network assigns addresses itself. */
  allocatesNodeCidrs: boolean;
  serviceCidr: string;
  ca: { cert: string; key: string };
  serviceAccountPrivateKey: string;
}

/** The flags of kube-controller-manager, in their order. */
export function controllerManagerArguments(config: ControllerManagerConfig): FlagValues {
  return {
    ...common(config),
    'cluster-name': config.clusterName,
    'allocate-node-cidrs': config.allocatesNodeCidrs,
    'cluster-cidr': config.podCidr,
    'node-cidr-mask-size': config.nodeCidrBits,
    'service-cluster-ip-range': config.serviceCidr,
    'cluster-signing-cert-file': config.ca.cert,
    'cluster-signing-key-file': config.ca.key,
    'root-ca-file': config.ca.cert,
    'service-account-private-key-file': config.serviceAccountPrivateKey,
    'use-service-account-credentials': true,
    'terminated-pod-gc-threshold': 1000,
    // Its forty controllers ask for a token each at the start: the default of 20 a second would take seconds.
    'kube-api-qps': 100,
    'kube-api-burst': 200,
    ...config.typed,
    ...config.extraArgs,
  };
}

/** The flags of kube-scheduler, in their order. */
export const schedulerArguments = (config: LoopbackDaemon): FlagValues => ({
  ...common(config),
  ...config.typed,
  ...config.extraArgs,
});
