import { KUBELET_ROOT } from '../../kube/eviction.ts';
import {
  BIN_DIR,
  KUBE_PROXY_HEALTH_PORT,
  KUBE_PROXY_METRICS_PORT,
  KUBELET_HEALTH_PORT,
  KUBELET_PORT,
} from '../../kube/paths.ts';
import type { RequiredFeature, RequiredModule, Requirements } from '../requires.ts';
import { type ProxyMode, proxyMode } from './kube-proxy.ts';

/** kube-proxy runs nft or iptables; the kubelet and kube-proxy clean up with conntrack. */
export const NODE_PACKAGES = ['conntrack', 'iptables', 'nftables'];
const IPVS_PACKAGES = ['ipset', 'ipvsadm'];

/** What a mode of kube-proxy needs of the kernel. */
const PROXY_KERNEL: Readonly<
  Record<Exclude<ProxyMode, 'none'>, { feature: RequiredFeature; modules: readonly string[] }>
> = {
  nftables: {
    feature: { name: 'nf_tables', symbol: 'nft_register_chain_type', reason: 'kube-proxy mode nftables' },
    modules: ['nft_ct', 'nft_nat', 'nft_masq'],
  },
  iptables: {
    feature: {
      name: 'ip_tables',
      symbol: 'ipt_register_table',
      sign: '/proc/net/ip_tables_names',
      reason: 'kube-proxy mode iptables',
    },
    modules: ['iptable_nat', 'iptable_filter', 'xt_conntrack', 'xt_comment'],
  },
  ipvs: {
    feature: {
      name: 'ip_vs',
      symbol: 'register_ip_vs_scheduler',
      sign: '/proc/net/ip_vs',
      reason: 'kube-proxy mode ipvs',
    },
    modules: ['ip_vs_rr', 'ip_set'],
  },
};

const CONNTRACK: RequiredFeature = {
  name: 'nf_conntrack',
  symbol: 'nf_conntrack_in',
  sign: '/proc/sys/net/netfilter/nf_conntrack_max',
  load: true,
  reason: 'services',
};

const SYSCTLS: NonNullable<Requirements['sysctls']> = {
  'net.ipv4.ip_forward': { value: '1' },
  // New interfaces (of pods, of bridges) take this one; a switched ip_forward sets it, a file of later on may take it back.
  'net.ipv4.conf.default.forwarding': { value: '1' },
  // kubelet, runtime, and pods that tail logs each hold watches; the default of 128 instances runs out.
  'fs.inotify.max_user_instances': { value: '8192', atLeast: true, kernelWide: true },
  'fs.inotify.max_user_watches': { value: '524288', atLeast: true, kernelWide: true },
  // What the kubelet refuses to start without (protectKernelDefaults; pkg/kubelet/cm, setupKernelTunables).
  'kernel.keys.root_maxbytes': { value: '25000000', kernelWide: true },
  'kernel.keys.root_maxkeys': { value: '1000000', kernelWide: true },
  'kernel.panic': { value: '10', kernelWide: true },
  'kernel.panic_on_oops': { value: '1', kernelWide: true },
  'vm.overcommit_memory': { value: '1', kernelWide: true },
  'vm.panic_on_oom': { value: '0', kernelWide: true },
};

/** The options that matter here. */
interface Options {
  kubelet: { config: Readonly<Record<string, unknown>>; extraArgs: Readonly<Record<string, string>> };
  kubeProxy: { mode: ProxyMode; config: Readonly<Record<string, unknown>> };
}

const NODE_PORTS_SETTING = 'nodePortRange of the API server';

/** What kubelet and kube-proxy need of a host. `nodePorts`: those of services. Pure. */
export function nodeRequirements(
  { kubelet, kubeProxy }: Options,
  nodePorts: { from: number; to: number; given: boolean },
): Requirements {
  const mode = proxyMode(kubeProxy);
  const kernel = mode === 'none' ? null : PROXY_KERNEL[mode];
  const more = mode === 'ipvs' ? IPVS_PACKAGES : [];
  const port = (binary: string, number: number) => ({
    protocol: 'tcp' as const,
    port: number,
    what: binary,
    holder: `${BIN_DIR}/${binary}`,
  });
  return {
    packages: [...NODE_PACKAGES, ...more],
    selinux: { policies: ['container-selinux'], folders: movedFolders(kubelet) },
    features: [CONNTRACK, ...(kernel ? [kernel.feature] : [])],
    modules: ['nf_nat', ...(kernel?.modules ?? [])].map((name): RequiredModule => ({ name })),
    sysctls: SYSCTLS,
    swapOff: !swapAllowed(kubelet),
    cgroups: {
      controllers: ['cpu', 'cpuset', 'memory', 'pids'],
      ...(kubelet.config['failCgroupV1'] === false
        ? {}
        : {
            v2: {
              refusedBy: 'the kubelet',
              otherwise: 'spec.phases.nodes.kubelet.config.failCgroupV1: false, cgroupDriver: cgroupfs',
            },
          }),
    },
    ports: [
      // Pods reach the kubelets of other nodes under the address of their own.
      { ...port('kubelet', KUBELET_PORT), from: ['nodes', 'pods'] },
      { ...port('kubelet', KUBELET_HEALTH_PORT), from: [] },
      ...(kernel
        ? [
            { ...port('kube-proxy', KUBE_PROXY_METRICS_PORT), from: [] },
            { ...port('kube-proxy', KUBE_PROXY_HEALTH_PORT), from: [] },
          ]
        : []),
    ],
    // The default range has always been there, and some clusters have ports of their own in it.
    ...(nodePorts.given
      ? {
          portRanges: [
            { from: nodePorts.from, to: nodePorts.to, what: 'node ports of services', setting: NODE_PORTS_SETTING },
          ],
        }
      : {}),
    forwards: ['pods', 'node-port-clients'],
    ownRules: { chains: ['KUBE-'], tables: ['kube-proxy'] },
  };
}

/** The folder of the kubelet, where a flag moves it: the policy knows the usual place. */
function movedFolders({ extraArgs }: Options['kubelet']) {
  const path = extraArgs['root-dir'];
  return path === undefined || path === KUBELET_ROOT ? [] : [{ path, like: KUBELET_ROOT }];
}

/** The kubelet's `failSwapOn: false`, in its file or as a flag. Its flags win over its file. */
function swapAllowed({ config, extraArgs }: Options['kubelet']): boolean {
  const flag = extraArgs['fail-swap-on'];
  return flag === undefined ? config['failSwapOn'] === false : flag === 'false';
}
