import { stringify } from 'yaml';
import { type KubeletOptions, kubeletSettings } from '../../kube/options/kubelet.ts';
import { KUBELET_HEALTH_PORT } from '../../kube/paths.ts';
import { TLS_CIPHER_SUITES, TLS_MIN_VERSION } from '../../kube/tls.ts';
import { deepMerge } from '../options.ts';

/** What one kubelet is to do; paths of files on its host. */
export interface KubeletConfig {
  clientCa: string;
  serving: { cert: string; key: string };
  clusterDomain: string;
  dnsAddress: string;
  runtimeSocket: string;
  resolvConf: string;
  systemdCgroup: boolean;
  /** The kernel's settings are the host's own, so that the kubelet may insist on them. */
  ownKernel: boolean;
  /** Taints of a node that registers for the first time. */
  taints: readonly { key: string; value?: string; effect: string }[];
  typed: KubeletOptions;
  overrides: Readonly<Record<string, unknown>>;
}

/** KubeletConfiguration. */
export function kubeletConfig(config: KubeletConfig): string {
  return stringify(
    deepMerge(
      {
        apiVersion: 'kubelet.config.k8s.io/v1beta1',
        kind: 'KubeletConfiguration',
        authentication: {
          anonymous: { enabled: false },
          webhook: { enabled: true, cacheTTL: '2m0s' },
          x509: { clientCAFile: config.clientCa },
        },
        authorization: { mode: 'Webhook' },
        tlsCertFile: config.serving.cert,
        tlsPrivateKeyFile: config.serving.key,
        tlsMinVersion: TLS_MIN_VERSION,
        tlsCipherSuites: [...TLS_CIPHER_SUITES],
        readOnlyPort: 0,
        enableDebuggingHandlers: true,
        enableProfilingHandler: false,
        healthzBindAddress: '127.0.0.1',
        healthzPort: KUBELET_HEALTH_PORT,
        clusterDomain: config.clusterDomain,
        clusterDNS: [config.dnsAddress],
        resolvConf: config.resolvConf,
        containerRuntimeEndpoint: `unix://${config.runtimeSocket}`,
        cgroupDriver: config.systemdCgroup ? 'systemd' : 'cgroupfs',
        protectKernelDefaults: config.ownKernel,
        seccompDefault: true,
        makeIPTablesUtilChains: true,
        // A pod that forks without end harms itself alone.
        podPidsLimit: 4096,
        streamingConnectionIdleTimeout: '4h0m0s',
        eventRecordQPS: 50,
        ...(config.taints.length > 0 ? { registerWithTaints: config.taints } : {}),
        serializeImagePulls: false,
        maxParallelImagePulls: 4,
        ...kubeletSettings(config.typed),
      },
      config.overrides,
    ),
    { lineWidth: 0 },
  );
}
