import { SYSTEM_NAMESPACE as namespace } from '../../../kube/manifests/common.ts';
import { CNI_BIN_DIR, CNI_CONF_DIR } from '../../../kube/paths.ts';
import type { CalicoOptions } from '../options.ts';
import { CNI_CONF_NAME, XTABLES_LOCK } from '../paths.ts';
import { FELIX_HEALTH_PORT } from '../requirements.ts';
import { env, nodeName } from './env.ts';
import { ACCOUNTS } from './rbac.ts';
import { TYPHA_NAME } from './typha.ts';

export const NODE_NAME = 'calico-node';
/** Pods of nodes are found by it. */
export const NODE_LABELS = { 'k8s-app': NODE_NAME };

export interface CalicoNodeConfig extends Pick<CalicoOptions, 'mode' | 'felix'> {
  images: { node: string; cni: string };
  /** Nodes whose pod of Calico may be changed at once: a number, or a percentage. */
  maxUnavailable: number | string;
  /** Of the links of pods and of tunnels, bytes; null: of each node by its own links. */
  mtu: number | null;
  /** The nodes connect to Typha, not to the API servers. */
  hasTypha: boolean;
}

/**
 * Links of machines to each other, for the MTU: Felix takes the smallest of those that fit. Its own expression lacks those of bonds,
 * teams, bridges, VLANs, older names (em1, p1p1) and systemd-nspawn (host0).
 */
const MTU_LINKS =
  '^((en|wl|ww|sl|ib)[Pcopsvx].*|(eth|wlan|wwan).*|(bond|team|vlan|host|em|br)[0-9]+.*|p[0-9]+p[0-9]+.*)';

/** Plugins that the runtime has installed already, in a version of its own. */
const NOT_INSTALLED = ['bandwidth', 'flannel', 'host-local', 'loopback', 'portmap', 'tuning'];

/** The network of a node's pods, with the words that the installer replaces. */
function cniConfig(mtu: number | null): string {
  const conflist = {
    name: 'kubewright',
    cniVersion: '0.3.1',
    plugins: [
      {
        type: 'calico',
        log_level: 'info',
        log_file_path: '/var/log/calico/cni/cni.log',
        datastore_type: 'kubernetes',
        nodename: '__KUBERNETES_NODE_NAME__',
        // 0: as Felix finds it, in /var/lib/calico/mtu.
        mtu: mtu ?? 0,
        ipam: { type: 'calico-ipam' },
        policy: { type: 'k8s' },
        kubernetes: { kubeconfig: '__KUBECONFIG_FILEPATH__' },
      },
      { type: 'portmap', snat: true, capabilities: { portMappings: true } },
      { type: 'bandwidth', capabilities: { bandwidth: true } },
    ],
  };
  return JSON.stringify(conflist, null, 2);
}

/** Settings of the programs in the container of a node. */
function settings({ mode, felix, mtu, hasTypha }: CalicoNodeConfig) {
  const usesBgp = mode !== 'vxlan';
  return env({
    DATASTORE_TYPE: 'kubernetes',
    WAIT_FOR_DATASTORE: true,
    CALICO_NETWORKING_BACKEND: usesBgp ? 'bird' : 'vxlan',
    CLUSTER_TYPE: usesBgp ? 'k8s,bgp' : 'k8s',
    IP: 'autodetect',
    IP_AUTODETECTION_METHOD: 'kubernetes-internal-ip',
    // The pool of addresses is an object of ours.
    NO_DEFAULT_POOLS: true,
    CALICO_DISABLE_FILE_LOGGING: true,
    FELIX_TYPHAK8SSERVICENAME: hasTypha ? TYPHA_NAME : undefined,
    FELIX_LOGSEVERITYSCREEN: felix.logSeverity,
    FELIX_IPTABLESBACKEND: felix.iptablesBackend.toUpperCase(),
    FELIX_DEFAULTENDPOINTTOHOSTACTION: felix.defaultEndpointToHostAction.toUpperCase(),
    FELIX_IPTABLESREFRESHINTERVAL: felix.refreshSeconds,
    FELIX_ROUTEREFRESHINTERVAL: felix.refreshSeconds,
    FELIX_MTUIFACEPATTERN: MTU_LINKS,
    FELIX_VXLANMTU: mtu ?? undefined,
    FELIX_IPINIPMTU: mtu ?? undefined,
    FELIX_IPV6SUPPORT: false,
    FELIX_HEALTHENABLED: true,
    FELIX_HEALTHPORT: FELIX_HEALTH_PORT,
    // It would tell the project's servers how large the cluster is.
    FELIX_USAGEREPORTINGENABLED: false,
  });
}

/** Calico on every node: its programs in one container, after another one has installed the CNI plugins. */
export function calicoNode(config: CalicoNodeConfig): object[] {
  const probe = (verb: 'live' | 'ready') => ({
    exec: {
      command: ['/bin/calico-node', `-felix-${verb}`, ...(config.mode === 'vxlan' ? [] : [`-bird-${verb}`])],
    },
    periodSeconds: 10,
    timeoutSeconds: 10,
  });
  const mount = (name: string, mountPath: string) => ({ name, mountPath });
  const path = (name: string, at: string, type = 'DirectoryOrCreate') => ({ name, hostPath: { path: at, type } });
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: NODE_NAME, namespace, labels: NODE_LABELS },
      spec: {
        selector: { matchLabels: NODE_LABELS },
        revisionHistoryLimit: 3,
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: config.maxUnavailable } },
        template: {
          metadata: { labels: NODE_LABELS },
          spec: {
            nodeSelector: { 'kubernetes.io/os': 'linux' },
            hostNetwork: true,
            serviceAccountName: ACCOUNTS.node,
            automountServiceAccountToken: true,
            priorityClassName: 'system-node-critical',
            tolerations: [
              { effect: 'NoSchedule', operator: 'Exists' },
              { key: 'CriticalAddonsOnly', operator: 'Exists' },
              { effect: 'NoExecute', operator: 'Exists' },
            ],
            // Rules and routes stay while it is gone: the next one is there sooner.
            terminationGracePeriodSeconds: 0,
            initContainers: [
              {
                name: 'install-cni',
                image: config.images.cni,
                imagePullPolicy: 'IfNotPresent',
                command: ['/opt/cni/bin/install'],
                env: [
                  ...env({
                    CNI_CONF_NAME,
                    CNI_NETWORK_CONFIG: cniConfig(config.mtu),
                    SKIP_CNI_BINARIES: NOT_INSTALLED.join(','),
                    SLEEP: false,
                  }),
                  nodeName('KUBERNETES_NODE_NAME'),
                ],
                securityContext: { privileged: true },
                volumeMounts: [mount('cni-bin', '/host/opt/cni/bin'), mount('cni-conf', '/host/etc/cni/net.d')],
              },
            ],
            containers: [
              {
                name: NODE_NAME,
                image: config.images.node,
                imagePullPolicy: 'IfNotPresent',
                env: [...settings(config), nodeName('NODENAME')],
                resources: { requests: { cpu: '100m', memory: '128Mi' } },
                // It sets routes, rules and settings of the node's network.
                securityContext: { privileged: true },
                lifecycle: { preStop: { exec: { command: ['/bin/calico-node', '-shutdown'] } } },
                livenessProbe: { ...probe('live'), initialDelaySeconds: 10, failureThreshold: 6 },
                readinessProbe: { ...probe('ready'), periodSeconds: 5 },
                volumeMounts: [
                  mount('cni-conf', '/host/etc/cni/net.d'),
                  mount('xtables-lock', XTABLES_LOCK),
                  mount('run', '/var/run/calico'),
                  mount('state', '/var/lib/calico'),
                  { ...mount('cni-log', '/var/log/calico/cni'), readOnly: true },
                ],
              },
            ],
            volumes: [
              path('cni-bin', CNI_BIN_DIR),
              path('cni-conf', CNI_CONF_DIR),
              path('cni-log', '/var/log/calico/cni'),
              path('run', '/run/calico'),
              path('state', '/var/lib/calico'),
              path('xtables-lock', XTABLES_LOCK, 'FileOrCreate'),
            ],
          },
        },
      },
    },
  ];
}
