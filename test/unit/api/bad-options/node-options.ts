import { defineBadOptions } from '../bad-options.ts';

type Draft = Parameters<Parameters<typeof defineBadOptions>[0][number]['spec']>[0];

/** Options of phase nodes, and where the error is below `spec.phases.nodes.`. */
const nodes = (title: string, options: Record<string, unknown>, place: string, message: RegExp) => ({
  title: `nodes: ${title}`,
  spec: (draft: Draft) => {
    draft.phases['nodes'] = options;
  },
  code: 'SPEC_INVALID' as const,
  path: `spec.phases.nodes.${place}`,
  message,
});
const kubelet = (title: string, options: Record<string, unknown>, place: string, message: RegExp) =>
  nodes(title, { kubelet: options }, `kubelet.${place}`, message);
const same = (option: string) => new RegExp(`^spec\\.phases\\.nodes\\.${option} sets the same: remove one of the two$`);

export default defineBadOptions([
  nodes(
    'no kube-proxy beside flannel',
    { kubeProxy: { mode: 'none' } },
    'kubeProxy.mode',
    /^none needs a pod network that leads traffic/,
  ),
  {
    title: 'nodes: no kube-proxy on one host alone',
    spec: (draft) => {
      draft.hosts[0]!['phases'] = { nodes: { kubeProxy: { mode: 'none' } } };
    },
    code: 'SPEC_INVALID',
    path: 'spec.hosts[0].phases.nodes.kubeProxy.mode',
    message: /for all nodes or for no node/,
  },
  kubelet('no pods', { maxPods: 0 }, 'maxPods', /at least 1$/),
  kubelet('more pods than addresses', { maxPods: 300 }, 'maxPods', /must be at most 253: each node has a \/24/),
  kubelet('pods twice', { maxPods: 50, config: { maxPods: 60 } }, 'config.maxPods', same('kubelet.maxPods')),
  kubelet(
    'pods as a flag',
    { maxPods: 50, extraArgs: { 'max-pods': '60' } },
    'extraArgs.max-pods',
    same('kubelet.maxPods'),
  ),
  kubelet(
    'an amount that is none',
    { kubeReserved: { memory: 'much' } },
    'kubeReserved.memory',
    /number of bytes such as 512Mi/,
  ),
  kubelet('CPU that is none', { systemReserved: { cpu: '0.5 cores' } }, 'systemReserved.cpu', /such as 500m or 2/),
  kubelet('a resource that is none', { kubeReserved: { disk: '1Gi' } }, 'kubeReserved', /unknown/),
  kubelet(
    'reservations twice',
    { systemReserved: { memory: '1Gi' }, config: { systemReserved: { cpu: '1' } } },
    'config.systemReserved',
    same('kubelet.systemReserved'),
  ),
  kubelet(
    'a signal that is none',
    { evictionHard: { 'memory.availabel': '1Gi' } },
    'evictionHard',
    /did you mean `memory\.available`/,
  ),
  kubelet(
    'a threshold that is none',
    { evictionHard: { 'nodefs.available': '120%' } },
    'evictionHard.nodefs.available',
    /percentage/,
  ),
  kubelet(
    'a threshold without its grace period',
    { evictionSoft: { 'memory.available': { threshold: '300Mi' } } },
    'evictionSoft.memory.available.gracePeriod',
    /required|missing/,
  ),
  kubelet(
    'eviction twice',
    { evictionHard: { 'memory.available': '300Mi' }, extraArgs: { 'eviction-hard': 'memory.available<100Mi' } },
    'extraArgs.eviction-hard',
    same('kubelet.evictionHard'),
  ),
  kubelet('a relative folder', { staticPodPath: 'manifests' }, 'staticPodPath', /absolute path/),
  kubelet('a folder of the system', { staticPodPath: '/etc' }, 'staticPodPath', /give a folder of its own/),
  kubelet(
    'a folder twice',
    { staticPodPath: '/etc/kubernetes/manifests', config: { staticPodPath: '/srv/pods' } },
    'config.staticPodPath',
    same('kubelet.staticPodPath'),
  ),
  kubelet(
    'a misspelt gate',
    { featureGates: { KubeletPSII: true } },
    'featureGates.KubeletPSII',
    /unknown feature gate.*did you mean `KubeletPSI`/,
  ),
  nodes(
    'a log level twice',
    { kubeProxy: { logLevel: 2, extraArgs: { v: '4' } } },
    'kubeProxy.extraArgs.v',
    same('kubeProxy.logLevel'),
  ),
]);
