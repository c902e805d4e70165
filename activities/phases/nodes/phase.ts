import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { keepEnd } from '../../../contracts/cut.ts';
import { kubernetesBinaries } from '../../kube/binaries.ts';
import { isContainer } from '../../kube/container-host.ts';
import * as identities from '../../kube/identities.ts';
import { installAll } from '../../kube/install.ts';
import { WAIT_URL, waitUrl } from '../../kube/lib.ts';
import { internalIpv4 } from '../../kube/network.ts';
import { NODE_FILES as FILES, nodeObjectUrl } from '../../kube/node-files.ts';
import { nodePorts } from '../../kube/options/control-plane.ts';
import { PACKET_FILTER_BASELINE, packetFilterBaseline } from '../../kube/packet-filter.ts';
import { BIN_DIR, KUBERNETES_DIR, KUBERNETES_PKI } from '../../kube/paths.ts';
import { leafFiles } from '../../kube/pki-files.ts';
import { directServers } from '../../kube/proxy.ts';
import { chooseResolvConf } from '../../kube/resolv-conf.ts';
import { daemonUnit, flags } from '../../render/unit.ts';
import { directory } from '../../resources/directory.ts';
import { undoByScript } from '../../resources/engine/undo.ts';
import { file } from '../../resources/file.ts';
import { packages } from '../../resources/packages.ts';
import { service } from '../../resources/service.ts';
import { containerRuntime } from '../capabilities/container-runtime.ts';
import { apiServerUrl } from '../capabilities/control-plane-endpoint.ts';
import { nodeAgent } from '../capabilities/node-agent.ts';
import { podNetwork } from '../capabilities/pod-network.ts';
import { NODE_GUARDS } from '../control-plane-issues.ts';
import { noteEndpointNames } from '../endpoint-names.ts';
import { KUBELET_CONFIG_FREE, KUBELET_FLAGS_FREE, PROXY_CONFIG_FREE, PROXY_FLAGS_FREE } from '../free-flags.ts';
import { flagFolders } from '../option-types.ts';
import { definePhase, type PhaseContext } from '../phase.ts';
import { nodeIssues } from './issues.ts';
import { proxyMode } from './kube-proxy.ts';
import { FILLED, kubeletFolders, renderKubelet } from './kubelet-settings.ts';
import { type NodeOptions as Options, nodeOptions as options, runsProxy } from './options.ts';
import { otherModesRules } from './other-modes.ts';
import { nodeKubeconfig, proxyParts } from './proxy-parts.ts';
import { NODE_PACKAGES, nodeRequirements } from './requirements.ts';
import { NODE_TEARDOWN } from './teardown-script.ts';

const artifacts = (cluster: ClusterSpec, { kubeProxy }: Options) =>
  kubernetesBinaries(cluster, ['kubelet', ...(runsProxy(kubeProxy) ? (['kube-proxy'] as const) : [])]);

/** kubelet and kube-proxy as systemd units. A node is done here when it is registered; Ready comes with its network. */
export default definePhase({
  name: 'nodes',
  title: 'Nodes',
  hosts: 'nodes',
  offers: [nodeAgent.offer(() => ({ certificate: `${FILES.kubeletClient}.crt`, key: `${FILES.kubeletClient}.key` }))],
  needs: [
    { phase: 'container-runtime', on: 'same-host' },
    { phase: 'binaries', on: 'same-host' },
    // A kubelet that finds no API server tries again in ever longer steps, and pods without their images likewise.
    { phase: 'control-plane', on: 'any-host' },
    // Its provider may run on the node itself, or on others.
    { phase: 'control-plane-endpoint', on: 'same-host' },
    { phase: 'control-plane-endpoint', on: 'any-host' },
    { phase: 'registry', on: 'every-host' },
  ],
  disrupts: 'node',
  timeouts: { applyMs: 10 * 60_000, verifyMs: 3 * 60_000 },
  expectedMs: 4_000,
  keepsRunning: ({ options: { kubeProxy } }) => ({
    units: ['kubelet', ...(runsProxy(kubeProxy) ? ['kube-proxy'] : [])],
  }),
  options,
  requires: ({ cluster, options }) => ({
    ...nodeRequirements(options, nodePorts(cluster)),
    artifacts: artifacts(cluster, options),
  }),
  specIssues: ({ cluster, offered }) => nodeIssues(cluster, offered(podNetwork)),
  folders: ({ kubelet, kubeProxy }) => [
    ...[...FILLED, KUBERNETES_DIR].map((path) => ({ path })),
    ...kubeletFolders(kubelet),
    ...(kubelet.staticPodPath === undefined
      ? []
      : [{ path: kubelet.staticPodPath, option: ['kubelet', 'staticPodPath'], within: [KUBERNETES_DIR] }]),
    ...flagFolders(kubeProxy.extraArgs, ['kubeProxy', 'extraArgs'], []),
  ],
  guarded: [
    ...NODE_GUARDS,
    { option: 'kubelet.config', free: KUBELET_CONFIG_FREE },
    { option: 'kubelet.extraArgs', free: KUBELET_FLAGS_FREE },
    { option: 'kubeProxy.config', free: PROXY_CONFIG_FREE },
    { option: 'kubeProxy.extraArgs', free: PROXY_FLAGS_FREE },
  ],
  resources: async (context) => {
    const { cluster, host, options, pki } = context;
    const { staticPodPath } = options.kubelet;
    const client = await leafFiles(pki, identities.kubeletClient(host), FILES.kubeletClient);
    const serving = await leafFiles(pki, identities.kubeletServer(host), FILES.kubeletServer);
    const proxy = await proxyParts(context);
    return [
      packages(NODE_PACKAGES, directServers(cluster)),
      ...(await installAll(context, artifacts(cluster, options))),
      waitUrl(),
      chooseResolvConf().resource,
      directory(KUBERNETES_DIR),
      directory(KUBERNETES_PKI),
      file(FILES.ca, await pki.ca('kubernetes')),
      ...[client, serving, proxy?.certificate].flatMap((each) => each?.resources ?? []),
      file(FILES.kubeletKubeconfig, nodeKubeconfig(context, `system:node:${host.name}`, client), { mode: 0o600 }),
      file(FILES.kubeletConfig, renderKubelet(context, serving), { mode: 0o600 }),
      ...(proxy?.files ?? []),
      ...(staticPodPath === undefined ? [] : [directory(staticPodPath)]),
      packetFilterBaseline(),
      service('kubelet', {
        unit: kubeletUnit(context),
        restartOn: [
          `${BIN_DIR}/kubelet`,
          ...[FILES.ca, FILES.kubeletConfig, FILES.kubeletKubeconfig, client.cert, serving.cert],
        ],
        fills: [...FILLED, ...kubeletFolders(options.kubelet).map(({ path }) => path)],
      }),
      ...(proxy ? [proxy.unit] : []),
      // After the restart: a kube-proxy of the earlier mode would write them again.
      otherModesRules(proxyMode(options.kubeProxy)),
    ];
  },
  hooks: {
    // Whether its clients have left another endpoint is known when the node is Ready.
    async after(run) {
      await noteEndpointNames(run, { replaces: false });
      return [];
    },
    teardown: ({ remote, facts, baselineOf }) =>
      undoByScript(remote, NODE_TEARDOWN, [baselineOf(PACKET_FILTER_BASELINE), isContainer(facts) ? 'net/' : '']),
  },
  async verify(run) {
    const { cluster, host, remote, fail, unitJournal } = run;
    const proxy = runsProxy(run.options.kubeProxy) ? 'yes' : '';
    const url = nodeObjectUrl(apiServerUrl(run), host.name);
    const client = [`${FILES.kubeletClient}.crt`, `${FILES.kubeletClient}.key`];
    const version = `"kubeletVersion":"v${cluster.spec.kubernetes.version}"`;
    const { code, stdout, stderr } = await remote.script(CHECK, [WAIT_URL, url, FILES.ca, ...client, version, proxy], {
      timeoutMs: 120_000,
      okCodes: 'any',
    });
    if (code === 0) return;
    const unit = stdout.includes('kube-proxy') ? 'kube-proxy' : 'kubelet';
    fail(
      'NODE_NOT_READY',
      unit === 'kubelet'
        ? `the kubelet of ${host.name} did not register its node at version ${cluster.spec.kubernetes.version}`
        : `kube-proxy on ${host.name} does not run`,
      `${keepEnd(stderr, 600)}\n${await unitJournal(`${unit}.service`, 12)}`,
    );
  },
});

const CHECK = `
"$1" 90 "$2" "$3" "$4" "$5" "$6"
[ -z "$7" ] || systemctl is-active --quiet kube-proxy.service || { echo kube-proxy; exit 1; }
`;

function kubeletUnit(context: PhaseContext<Options>): string {
  const { host, options } = context;
  const runtime = context.offer(containerRuntime);
  const readyz = `${apiServerUrl(context)}/readyz`;
  const client = FILES.kubeletClient;
  return daemonUnit({
    description: 'Kubernetes node agent',
    documentation: 'https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/',
    exec: [
      `${BIN_DIR}/kubelet`,
      ...flags({
        config: FILES.kubeletConfig,
        kubeconfig: FILES.kubeletKubeconfig,
        'hostname-override': host.name,
        'node-ip': internalIpv4(host),
        v: options.kubelet.logLevel,
        ...options.kubelet.extraArgs,
      }),
    ],
    after: [runtime.unit],
    wants: [runtime.unit],
    service: {
      Type: 'notify',
      // The second may fail: without an API server there is still a node to look after.
      ExecStartPre: [chooseResolvConf().path, `-${WAIT_URL} 30 ${readyz} ${FILES.ca} ${client}.crt ${client}.key`],
      // Pods outlive a restart of the kubelet.
      KillMode: 'process',
      Delegate: true,
    },
  });
}
