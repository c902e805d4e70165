import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { kubernetesBinaries } from '../../kube/binaries.ts';
import * as identities from '../../kube/identities.ts';
import { installAll } from '../../kube/install.ts';
import { KUBELET_FILES } from '../../kube/kubeadm.ts';
import { internalIpv4 } from '../../kube/network.ts';
import { NODE_FILES as FILES } from '../../kube/node-files.ts';
import { packetFilterBaseline } from '../../kube/packet-filter.ts';
import { BIN_DIR, KUBERNETES_DIR, KUBERNETES_PKI } from '../../kube/paths.ts';
import { leafFiles } from '../../kube/pki-files.ts';
import { directServers } from '../../kube/proxy.ts';
import { chooseResolvConf } from '../../kube/resolv-conf.ts';
import { daemonUnit, execLine, flags } from '../../render/unit.ts';
import { directory } from '../../resources/directory.ts';
import { file } from '../../resources/file.ts';
import { packages } from '../../resources/packages.ts';
import { service } from '../../resources/service.ts';
import { containerRuntime } from '../capabilities/container-runtime.ts';
import { engineOf } from '../capabilities/control-plane.ts';
import { KUBEADM } from '../kubeadm/public.ts';
import * as nodes from '../nodes/public.ts';
import { definePhase, type PhaseContext } from '../phase.ts';

/** What kubeadm looks for on a host, beside what kubelet and kube-proxy run. */
const PACKAGES = [...nodes.NODE_PACKAGES, 'ethtool', 'socat'];

const artifacts = (cluster: ClusterSpec) => [
  { artifact: KUBEADM, version: cluster.spec.kubernetes.version },
  ...kubernetesBinaries(cluster, ['kubelet']),
];

/**
 * A host that kubeadm can make a node: kubeadm, and a kubelet that starts when kubeadm has written its configuration. What the spec says of
 * the kubelet is a file over kubeadm's (`--config-dir`), so it changes without kubeadm.
 */
export default definePhase({
  name: 'kubeadm-kubelet',
  title: 'Kubelet (kubeadm)',
  hosts: 'nodes',
  sharesOptionsWith: 'nodes',
  enabled: (cluster) => engineOf(cluster) === 'kubeadm',
  needs: [
    { phase: 'container-runtime', on: 'same-host' },
    { phase: 'binaries', on: 'same-host' },
    { phase: 'pki', on: 'every-host' },
  ],
  disrupts: 'node',
  timeouts: { applyMs: 10 * 60_000, verifyMs: 60_000 },
  expectedMs: 3_000,
  options: nodes.nodeOptions,
  requires: ({ cluster }) => ({ packages: PACKAGES, artifacts: artifacts(cluster) }),
  resources: async (context) => {
    const { cluster, host, options, pki } = context;
    const { staticPodPath } = options.kubelet;
    const serving = await leafFiles(pki, identities.kubeletServer(host), FILES.kubeletServer);
    const dropIn = `${KUBELET_FILES.dropIns}/50-kubewright.conf`;
    return [
      packages(PACKAGES, directServers(cluster)),
      ...(await installAll(context, artifacts(cluster))),
      chooseResolvConf().resource,
      directory(KUBERNETES_DIR),
      directory(KUBERNETES_PKI),
      directory(KUBELET_FILES.dropIns),
      file(FILES.ca, await pki.ca('kubernetes')),
      ...serving.resources,
      file(dropIn, nodes.renderKubelet(context, serving), { mode: 0o600 }),
      ...(staticPodPath === undefined ? [] : [directory(staticPodPath)]),
      // kubeadm starts the kubelet, on control planes long before their turn as nodes.
      packetFilterBaseline(),
      service('kubelet', {
        unit: unit(context),
        restartOn: [`${BIN_DIR}/kubelet`, FILES.ca, dropIn, serving.cert],
        // What kubeadm writes, too: static pods, their certificates and kubeconfigs.
        fills: [...nodes.FILLED, KUBERNETES_DIR, ...nodes.kubeletFolders(options.kubelet).map(({ path }) => path)],
      }),
    ];
  },
});

function unit(context: PhaseContext<nodes.NodeOptions>): string {
  const { host, options } = context;
  const runtime = context.offer(containerRuntime);
  const words = [
    `${BIN_DIR}/kubelet`,
    ...flags({
      'bootstrap-kubeconfig': KUBELET_FILES.bootstrapKubeconfig,
      kubeconfig: KUBELET_FILES.kubeconfig,
      config: KUBELET_FILES.config,
      'config-dir': KUBELET_FILES.dropIns,
    }),
  ];
  // Later flags win: kubeadm's first, then those of the spec.
  const own = flags({
    'hostname-override': host.name,
    'node-ip': internalIpv4(host),
    ...(options.kubelet.logLevel === undefined ? {} : { v: options.kubelet.logLevel }),
    ...options.kubelet.extraArgs,
  });
  return daemonUnit({
    description: 'Kubernetes node agent, as kubeadm starts it',
    documentation: 'https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/',
    exec: words,
    after: [runtime.unit],
    wants: [runtime.unit],
    // Before kubeadm has made the host a node there is nothing to start.
    unit: { ConditionPathExists: KUBELET_FILES.config },
    service: {
      Type: 'notify',
      EnvironmentFile: `-${KUBELET_FILES.flags}`,
      ExecStartPre: chooseResolvConf().path,
      ExecStart: [execLine(words), '$KUBELET_KUBEADM_ARGS', execLine(own)].join(' \\\n  '),
      // Pods outlive a restart of the kubelet, static pods of the control plane among them.
      KillMode: 'process',
      Delegate: true,
    },
  });
}
