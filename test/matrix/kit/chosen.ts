import { KUBE_PROXY_METRICS_PORT } from '../../../activities/kube/paths.ts';
import { kubernetesStore } from '../../../activities/phases/capabilities/kubernetes-store.ts';
import { enabledProvidersOf } from '../../../activities/phases/capabilities.ts';
import { PROXY_MODES, type ProxyMode } from '../../../activities/phases/nodes/kube-proxy.ts';
import { hostsWithRole, kubeHosts } from '../../../contracts/cluster.ts';
import { calicoChecks } from './calico.ts';
import type { MatrixCheck } from './case.ts';
import type { MatrixKit } from './kit.ts';
import { kubeadmChecks } from './kubeadm.ts';
import { tunnelsOfSpec } from './openvswitch.ts';
import { oneTimeDaemon } from './time.ts';

/** How a node names its runtime, by the phase that provides it. */
const RUNTIMES: Readonly<Record<string, string>> = { docker: 'docker', runtime: 'containerd' };

/** Every node reports the runtime of the spec. */
export const RUNTIME_OF_SPEC: MatrixCheck = {
  title: 'nodes run the runtime of the spec',
  run: async (kit) => {
    const [chosen = ''] = enabledProvidersOf(kit.cluster, 'container-runtime', kit.phases).map(({ name }) => name);
    const wanted = `${RUNTIMES[chosen] ?? chosen}://`;
    const { items } = await kit.get<{ items: { status: { nodeInfo: { containerRuntimeVersion: string } } }[] }>(
      'nodes',
    );
    const found = items.map(({ status }) => status.nodeInfo.containerRuntimeVersion);
    if (found.length === 0 || found.some((each) => !each.startsWith(wanted)))
      throw new Error(`wanted ${wanted}: ${found.join(', ')}`);
  },
};

const PROXY_OF_SPEC: MatrixCheck = {
  title: 'kube-proxy runs in the mode of the spec',
  run: async (kit) => {
    const { mode = PROXY_MODES[0] } = (kit.cluster.spec.phases['nodes']?.['kubeProxy'] ?? {}) as { mode?: ProxyMode };
    for (const { name } of kubeHosts(kit.cluster)) {
      const found = await kit.onHost(name, `curl -fsS http://127.0.0.1:${KUBE_PROXY_METRICS_PORT}/proxyMode`);
      if (found.trim() !== mode) throw new Error(`${name} runs kube-proxy in mode ${found}, wanted ${mode}`);
    }
  },
};

/** Static pods of kubeadm, with as many members of etcd as the spec has stacked ones. */
async function kubeadmRuns(kit: MatrixKit): Promise<void> {
  const stacked = kubernetesStore.chosen?.by(kit.cluster) === 'stacked-etcd';
  const etcdPods = stacked ? hostsWithRole(kit.cluster, 'control-plane').length : 0;
  for (const check of kubeadmChecks({ etcdPods })) await check.run(kit);
}

/** What shows that a choice is in effect, by its dimension and value; other values have none beside the standard checks. */
const CHECKS: Readonly<Record<string, readonly MatrixCheck[]>> = {
  'network calico': calicoChecks({ vxlanMode: 'Always', ipipMode: 'Never' }),
  'network openvswitch': [tunnelsOfSpec],
  'runtime docker': [RUNTIME_OF_SPEC],
  'engine kubeadm': [{ title: 'the engine is kubeadm', run: kubeadmRuns }],
  'proxy iptables': [PROXY_OF_SPEC],
  'proxy ipvs': [PROXY_OF_SPEC],
  'time ntpsec': [oneTimeDaemon],
  'time none': [oneTimeDaemon],
};

/** Checks of a combination, values by dimension: that each choice is in effect, and no default in its place. */
export const checksOf = (values: Readonly<Record<string, string>>): MatrixCheck[] =>
  Object.entries(values).flatMap(([dimension, value]) => CHECKS[`${dimension} ${value}`] ?? []);
