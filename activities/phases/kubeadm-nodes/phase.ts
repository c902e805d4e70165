import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { keepEnd } from '../../../contracts/cut.ts';
import { kubernetesBinaries } from '../../kube/binaries.ts';
import { isContainer } from '../../kube/container-host.ts';
import { installAll } from '../../kube/install.ts';
import { KUBELET_FILES } from '../../kube/kubeadm.ts';
import { WAIT_URL, waitUrl } from '../../kube/lib.ts';
import { isControlPlane } from '../../kube/network.ts';
import { NODE_FILES as FILES, nodeObjectUrl } from '../../kube/node-files.ts';
import { nodePorts } from '../../kube/options/control-plane.ts';
import { PACKET_FILTER_BASELINE } from '../../kube/packet-filter.ts';
import { KUBERNETES_DIR, KUBERNETES_PKI } from '../../kube/paths.ts';
import { directory } from '../../resources/directory.ts';
import { undoByScript } from '../../resources/engine/undo.ts';
import { file } from '../../resources/file.ts';
import { apiServerUrl } from '../capabilities/control-plane-endpoint.ts';
import { nodeAgent } from '../capabilities/node-agent.ts';
import { podNetwork } from '../capabilities/pod-network.ts';
import { noteEndpointNames } from '../endpoint-names.ts';
import * as kubeadm from '../kubeadm/public.ts';
import * as nodes from '../nodes/public.ts';
import { definePhase } from '../phase.ts';
import { kubeadmWorker } from './worker-resource.ts';

const artifacts = (cluster: ClusterSpec, { kubeProxy }: nodes.NodeOptions) =>
  kubernetesBinaries(cluster, nodes.runsProxy(kubeProxy) ? ['kube-proxy'] : []);

/** Workers join by kubeadm, side by side; kube-proxy on every node, as with the other engine. */
export default definePhase({
  name: 'kubeadm-nodes',
  title: 'Nodes (kubeadm)',
  hosts: 'nodes',
  sharesOptionsWith: 'nodes',
  offers: [nodeAgent.offer(() => ({ certificate: KUBELET_FILES.client, key: KUBELET_FILES.client }))],
  needs: [
    { phase: 'container-runtime', on: 'same-host' },
    { phase: 'kubeadm-kubelet', on: 'same-host' },
    // A control plane is a node when kubeadm has made it one; workers need one that serves.
    { phase: 'control-plane', on: 'same-host' },
    { phase: 'control-plane', on: 'any-host' },
    { phase: 'control-plane-endpoint', on: 'same-host' },
    { phase: 'control-plane-endpoint', on: 'any-host' },
    { phase: 'registry', on: 'every-host' },
  ],
  disrupts: 'node',
  timeouts: { applyMs: 15 * 60_000, verifyMs: 3 * 60_000 },
  expectedMs: 8_000,
  keepsRunning: ({ options: { kubeProxy } }) => ({
    units: ['kubelet', ...(nodes.runsProxy(kubeProxy) ? ['kube-proxy'] : [])],
  }),
  options: nodes.nodeOptions,
  specIssues: ({ cluster, offered }) => nodes.nodeIssues(cluster, offered(podNetwork)),
  requires: ({ cluster, options }) => ({
    ...nodes.nodeRequirements(options, nodePorts(cluster)),
    artifacts: artifacts(cluster, options),
  }),
  resources: async (context) => {
    const { cluster, host, options, pki } = context;
    const proxy = await nodes.proxyParts(context);
    return [
      ...(await installAll(context, artifacts(cluster, options))),
      waitUrl(),
      directory(KUBERNETES_DIR),
      directory(KUBERNETES_PKI),
      file(FILES.ca, await pki.ca('kubernetes')),
      ...(isControlPlane(host) ? [] : [kubeadmWorker(host.name, kubeadm.workerJoin(context))]),
      ...(proxy ? [...proxy.certificate.resources, ...proxy.files, proxy.unit] : []),
      // After the restart: a kube-proxy of the earlier mode would write them again.
      nodes.otherModesRules(nodes.proxyMode(options.kubeProxy)),
    ];
  },
  hooks: {
    async after(run) {
      await noteEndpointNames(run, { replaces: false });
      return [];
    },
    teardown: ({ remote, facts, baselineOf }) =>
      undoByScript(remote, nodes.NODE_TEARDOWN, [baselineOf(PACKET_FILTER_BASELINE), isContainer(facts) ? 'net/' : '']),
  },
  async verify(run) {
    const { cluster, host, remote, fail, unitJournal } = run;
    const url = nodeObjectUrl(apiServerUrl(run), host.name);
    const version = `"kubeletVersion":"v${cluster.spec.kubernetes.version}"`;
    const { client } = KUBELET_FILES;
    const { code, stderr } = await remote.script(
      '"$1" 90 "$2" "$3" "$4" "$5" "$6"',
      [WAIT_URL, url, FILES.ca, client, client, version],
      { timeoutMs: 120_000, okCodes: 'any' },
    );
    if (code === 0) return;
    fail(
      'NODE_NOT_READY',
      `the kubelet of ${host.name} did not register its node at version ${cluster.spec.kubernetes.version}`,
      `${keepEnd(stderr, 600)}\n${await unitJournal('kubelet.service', 12)}`,
    );
  },
});
