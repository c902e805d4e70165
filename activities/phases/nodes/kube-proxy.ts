import { stringify } from 'yaml';
import { sortedGates } from '../../kube/options/feature-gates.ts';
import { KUBE_PROXY_HEALTH_PORT, KUBE_PROXY_METRICS_PORT } from '../../kube/paths.ts';
import { deepMerge } from '../options.ts';

/** Modes of kube-proxy; `none`: it does not run, for the pod network leads traffic to services. */
export const PROXY_MODES = ['nftables', 'iptables', 'ipvs', 'none'] as const;

export type ProxyMode = (typeof PROXY_MODES)[number];

/** The mode that kube-proxy runs in: its configuration wins over our option. */
export function proxyMode({ mode, config }: { mode: ProxyMode; config: Readonly<Record<string, unknown>> }): ProxyMode {
  return (mode === 'none' ? undefined : PROXY_MODES.find((each) => each === config['mode'])) ?? mode;
}

/** KubeProxyConfiguration. */
export function kubeProxyConfig(config: {
  mode: ProxyMode;
  nodeName: string;
  podCidr: string;
  kubeconfig: string;
  /** Typed options; none are there that the spec does not have. */
  featureGates: Readonly<Record<string, boolean>> | undefined;
  overrides: Readonly<Record<string, unknown>>;
}): string {
  const gates = sortedGates(config.featureGates);
  return stringify(
    deepMerge(
      {
        apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
        kind: 'KubeProxyConfiguration',
        mode: config.mode,
        hostnameOverride: config.nodeName,
        clusterCIDR: config.podCidr,
        clientConnection: { kubeconfig: config.kubeconfig },
        // The primary address of the node only, not every interface.
        nodePortAddresses: ['primary'],
        metricsBindAddress: `127.0.0.1:${KUBE_PROXY_METRICS_PORT}`,
        // Load balancers outside of the cluster ask it whether a node takes traffic for services.
        healthzBindAddress: `0.0.0.0:${KUBE_PROXY_HEALTH_PORT}`,
        enableProfiling: false,
        ...(gates.length > 0 ? { featureGates: Object.fromEntries(gates) } : {}),
      },
      config.overrides,
    ),
    { lineWidth: 0 },
  );
}
