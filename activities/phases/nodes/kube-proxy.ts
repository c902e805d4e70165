import { stringify } from 'yaml';
import { KUBE_PROXY_HEALTH_PORT, KUBE_PROXY_METRICS_PORT } from '../../kube/paths.ts';
import { deepMerge } from '../options.ts';

export const PROXY_MODES = ['nftables', 'iptables', 'ipvs'] as const;

type ProxyMode = (typeof PROXY_MODES)[number];

/** The mode that kube-proxy runs in: its configuration wins over our option. */
export function proxyMode({ mode, config }: { mode: ProxyMode; config: Readonly<Record<string, unknown>> }): ProxyMode {
  return PROXY_MODES.find((each) => each === config['mode']) ?? mode;
}

/** KubeProxyConfiguration. */
export function kubeProxyConfig(config: {
  mode: ProxyMode;
  nodeName: string;
  podCidr: string;
  kubeconfig: string;
  overrides: Readonly<Record<string, unknown>>;
}): string {
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
      },
      config.overrides,
    ),
    { lineWidth: 0 },
  );
}
