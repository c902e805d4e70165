import { isContainer } from '../../kube/container-host.ts';
import { dnsServiceAddress } from '../../kube/network.ts';
import { NODE_FILES as FILES } from '../../kube/node-files.ts';
import { desiredTaints } from '../../kube/node-taints.ts';
import { containerRuntime } from '../capabilities/container-runtime.ts';
import { configFolders, flagFolders } from '../option-types.ts';
import type { PhaseContext } from '../phase.ts';
import { kubeletConfig } from './kubelet.ts';
import type { NodeOptions } from './options.ts';

/** What the kubelet fills. */
export const FILLED = ['/var/lib/kubelet', '/var/log/pods', '/var/log/containers', '/usr/libexec/kubernetes'];

/** What its flags and configuration make it fill: another root directory, say. */
export const kubeletFolders = ({ extraArgs, config }: NodeOptions['kubelet']) => [
  ...flagFolders(extraArgs, ['kubelet', 'extraArgs'], FILLED),
  ...configFolders(config, {
    keys: [['podLogsDir'], ['volumePluginDir']],
    at: ['kubelet', 'config'],
    within: FILLED,
  }),
];

/** The KubeletConfiguration of a host. */
export function renderKubelet(context: PhaseContext<NodeOptions>, serving: { cert: string; key: string }): string {
  const { cluster, host, facts, options } = context;
  const runtime = context.offer(containerRuntime);
  return kubeletConfig({
    clientCa: FILES.ca,
    serving: { cert: serving.cert, key: serving.key },
    clusterDomain: cluster.spec.network.clusterDomain,
    dnsAddress: dnsServiceAddress(cluster),
    runtimeSocket: runtime.socket,
    resolvConf: FILES.resolvConf,
    systemdCgroup: runtime.cgroupDriver === 'systemd',
    ownKernel: !isContainer(facts),
    taints: desiredTaints(host),
    typed: options.kubelet,
    overrides: options.kubelet.config,
  });
}
