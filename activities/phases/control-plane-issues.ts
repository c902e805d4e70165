import type { z } from 'zod';
import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { FieldIssue } from '../../contracts/issues.ts';
import { internalIpv4, isControlPlane } from '../kube/network.ts';
import { admissionPluginIssues } from '../kube/options/admission-plugins.ts';
import type { ApiServerOptions } from '../kube/options/control-plane.ts';
import { featureGateProblem, type GatedComponent } from '../kube/options/feature-gates.ts';
import type { podNetwork } from './capabilities/pod-network.ts';
import type { Guard } from './guard.ts';
import { isTable } from './option-types.ts';
import { keysOf, optionViews, type SameSettings, twiceSet, withoutRepeats } from './twice-set.ts';

/** From 6 on, bodies of requests are in the log, and Secrets in them. */
const FREE_LOG_LEVEL = 5;

/** Typed options of a control plane that only role admin, or a policy, may change. Of each engine. */
export const CONTROL_PLANE_GUARDS: readonly Guard[] = [
  ...['admissionPlugins', 'allowPrivileged', 'bindAddress', 'nodePortRange', 'featureGates'].map((option) => ({
    option: `apiServer.${option}`,
  })),
  ...['controllerManager', 'scheduler'].flatMap((daemon) =>
    ['bindAddress', 'featureGates'].map((option) => ({ option: `${daemon}.${option}` })),
  ),
  ...['apiServer', 'controllerManager', 'scheduler'].map((daemon) => ({
    option: `${daemon}.logLevel`,
    upTo: FREE_LOG_LEVEL,
  })),
];

/** The same of kubelet and kube-proxy. */
export const NODE_GUARDS: readonly Guard[] = [
  ...['kubelet.staticPodPath', 'kubelet.featureGates', 'kubeProxy.featureGates'].map((option) => ({ option })),
  ...['kubelet.logLevel', 'kubeProxy.logLevel'].map((option) => ({ option, upTo: FREE_LOG_LEVEL })),
];

const controllers = (daemon: string): SameSettings => ({
  [`${daemon}.bindAddress`]: keysOf(`${daemon}.extraArgs`, 'bind-address'),
  [`${daemon}.featureGates`]: keysOf(`${daemon}.extraArgs`, 'feature-gates'),
  [`${daemon}.logLevel`]: keysOf(`${daemon}.extraArgs`, 'v'),
});

const CONTROL_PLANE_SAME: SameSettings = {
  'apiServer.admissionPlugins': keysOf(
    'apiServer.extraArgs',
    ...['enable-admission-plugins', 'disable-admission-plugins', 'admission-control'],
  ),
  'apiServer.allowPrivileged': keysOf('apiServer.extraArgs', 'allow-privileged'),
  'apiServer.bindAddress': keysOf('apiServer.extraArgs', 'bind-address'),
  'apiServer.nodePortRange': keysOf('apiServer.extraArgs', 'service-node-port-range'),
  'apiServer.featureGates': keysOf('apiServer.extraArgs', 'feature-gates'),
  'apiServer.logLevel': keysOf('apiServer.extraArgs', 'v'),
  'audit.policy': keysOf('apiServer.extraArgs', 'audit-policy-file'),
  ...controllers('controllerManager'),
  ...controllers('scheduler'),
};

const NODE_SAME: SameSettings = {
  'kubelet.maxPods': ['kubelet.config.maxPods', 'kubelet.extraArgs.max-pods'],
  'kubelet.kubeReserved': ['kubelet.config.kubeReserved', 'kubelet.extraArgs.kube-reserved'],
  'kubelet.systemReserved': ['kubelet.config.systemReserved', 'kubelet.extraArgs.system-reserved'],
  'kubelet.evictionHard': [
    ...keysOf('kubelet.config', 'evictionHard', 'mergeDefaultEvictionSettings'),
    'kubelet.extraArgs.eviction-hard',
  ],
  'kubelet.evictionSoft': [
    ...keysOf('kubelet.config', 'evictionSoft', 'evictionSoftGracePeriod'),
    ...keysOf('kubelet.extraArgs', 'eviction-soft', 'eviction-soft-grace-period'),
  ],
  'kubelet.staticPodPath': ['kubelet.config.staticPodPath', 'kubelet.extraArgs.pod-manifest-path'],
  'kubelet.featureGates': ['kubelet.config.featureGates', 'kubelet.extraArgs.feature-gates'],
  'kubelet.logLevel': ['kubelet.config.logging.verbosity', 'kubelet.extraArgs.v'],
  'kubeProxy.featureGates': ['kubeProxy.config.featureGates', 'kubeProxy.extraArgs.feature-gates'],
  'kubeProxy.logLevel': ['kubeProxy.config.logging.verbosity', 'kubeProxy.extraArgs.v'],
};

const CONTROL_PLANE_GATES: Readonly<Record<string, GatedComponent>> = {
  apiServer: 'kube-apiserver',
  controllerManager: 'kube-controller-manager',
  scheduler: 'kube-scheduler',
};
const NODE_GATES: Readonly<Record<string, GatedComponent>> = { kubelet: 'kubelet', kubeProxy: 'kube-proxy' };

/**
 * What of the typed options of a control plane does not fit its version, its hosts, or `extraArgs`. `phase`: the one of the engine,
 * whose options have the names of `apiServerOptions` and `controllerOptions`; `network`: what the pod network offers, null where none is
 * chosen. Of options that are valid. Pure.
 */
export function controlPlaneIssues(
  cluster: ClusterSpec,
  phase: string,
  network: z.output<typeof podNetwork.data> | null,
): FieldIssue[] {
  const { version } = cluster.spec.kubernetes;
  const issues = optionViews(cluster, phase).flatMap(({ options, host, place }): FieldIssue[] => {
    const api = (isTable(options['apiServer']) ? options['apiServer'] : {}) as ApiServerOptions;
    const plugins = admissionPluginIssues(api.admissionPlugins, version).map(({ path: [list, index], message }) => ({
      path: `${place(`apiServer.admissionPlugins.${list}`)}[${index}]`,
      message,
    }));
    const { bindAddress = '0.0.0.0' } = api;
    const listening = host ? [host] : cluster.spec.hosts.filter((each) => !Object.hasOwn(each.phases, phase));
    const unreachable = listening.filter(isControlPlane).flatMap((each): FieldIssue[] => {
      const own = internalIpv4(each);
      if (bindAddress === '0.0.0.0' || (own !== undefined && (bindAddress === 'internal' || bindAddress === own)))
        return [];
      const message =
        own === undefined
          ? `the host ${each.name} is known by a DNS name alone: give it internalAddress, or leave 0.0.0.0`
          : `the other hosts reach the API server of ${each.name} at ${own}: \`internal\`, ${own} or 0.0.0.0`;
      return [{ path: place('apiServer.bindAddress'), message }];
    });
    const unprivileged =
      api.allowPrivileged === false && network?.privilegedPods
        ? [{ path: place('apiServer.allowPrivileged'), message: 'the pod network runs privileged pods: leave it true' }]
        : [];
    return [...plugins, ...unreachable, ...unprivileged];
  });
  return withoutRepeats([
    ...issues,
    ...gateIssues(cluster, phase, CONTROL_PLANE_GATES),
    ...twiceSet(cluster, phase, CONTROL_PLANE_SAME),
  ]);
}

/** The same of the typed options of kubelet and kube-proxy. Pure. */
export const nodeOptionIssues = (cluster: ClusterSpec, phase: string): FieldIssue[] =>
  withoutRepeats([...gateIssues(cluster, phase, NODE_GATES), ...twiceSet(cluster, phase, NODE_SAME)]);

function gateIssues(
  cluster: ClusterSpec,
  phase: string,
  components: Readonly<Record<string, GatedComponent>>,
): FieldIssue[] {
  const { version } = cluster.spec.kubernetes;
  return optionViews(cluster, phase).flatMap(({ options, place }) =>
    Object.entries(components).flatMap(([part, component]) => {
      const own = options[part];
      const gates = isTable(own) && isTable(own['featureGates']) ? own['featureGates'] : {};
      return Object.entries(gates).flatMap(([gate, on]): FieldIssue[] => {
        const problem = featureGateProblem(component, { gate, on: on === true, version });
        return problem === null ? [] : [{ path: place(`${part}.featureGates.${gate}`), message: problem }];
      });
    }),
  );
}
