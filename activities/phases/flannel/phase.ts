import { z } from 'zod';
import { port, version } from '../../../contracts/primitives.ts';
import { installAll } from '../../kube/install.ts';
import { LIB_DIR, WAIT_URL, waitUrl } from '../../kube/lib.ts';
import { internalIpv4 } from '../../kube/network.ts';
import { NODE_FILES, nodeObjectUrl } from '../../kube/node-files.ts';
import { BIN_DIR, KUBERNETES_PKI, KUBEWRIGHT_DIR } from '../../kube/paths.ts';
import { leafFiles } from '../../kube/pki-files.ts';
import { directServers } from '../../kube/proxy.ts';
import { kubeconfigWithFiles } from '../../render/kubeconfig-files.ts';
import { daemonUnit, flags } from '../../render/unit.ts';
import { directory } from '../../resources/directory.ts';
import { undoByScript } from '../../resources/engine/undo.ts';
import { file } from '../../resources/file.ts';
import { packages } from '../../resources/packages.ts';
import { service } from '../../resources/service.ts';
import { containerRuntime } from '../capabilities/container-runtime.ts';
import { apiServerUrl } from '../capabilities/control-plane-endpoint.ts';
import { podNetwork } from '../capabilities/pod-network.ts';
import { definePhase, type PhaseContext } from '../phase.ts';
import { FLANNEL } from './artifacts.ts';
import {
  CNI_CONFLIST,
  cniConfigScript,
  FLANNEL_BACKENDS,
  FLANNEL_SUBNET_ENV,
  FLANNEL_VXLAN_PORT,
  flannelNetConf,
} from './config.ts';
import { flannelClient, flannelRbac } from './identity.ts';
import { otherBackendsLinks } from './other-backends.ts';
import { FLANNEL_PACKAGES, flannelRequirements } from './requirements.ts';
import { FLANNEL_TEARDOWN } from './teardown-script.ts';

const CONFIG_DIR = `${KUBEWRIGHT_DIR}/flannel`;
const NET_CONF = `${CONFIG_DIR}/net-conf.json`;
const KUBECONFIG = `${CONFIG_DIR}/kubeconfig`;
const CNI_SCRIPT = `${LIB_DIR}/flannel-cni`;

const options = z.strictObject({
  version: version.default(FLANNEL.version),
  backend: z
    .enum(FLANNEL_BACKENDS)
    .default('vxlan')
    .describe(
      'vxlan: works on every network; host-gw: faster, needs all hosts in one layer 2 network; udp: for kernels without vxlan',
    ),
  vxlanPort: port.default(FLANNEL_VXLAN_PORT),
  ipMasq: z
    .boolean()
    .default(true)
    .describe('True: pods reach addresses outside the cluster with the address of their node (masquerading)'),
});
type Options = z.output<typeof options>;

const artifacts = ({ version }: Options) => [{ artifact: FLANNEL, version }];

/** The pod network. Subnets come from Kubernetes: each node's podCIDR. */
export default definePhase({
  name: 'flannel',
  title: 'Pod network (flannel)',
  hosts: 'nodes',
  offers: [podNetwork.offer(() => ({ mtu: null, enforcesPolicies: false, needsPodCidr: true }))],
  optional: true,
  needs: [
    { phase: 'node-agent', on: 'same-host' },
    { phase: 'container-runtime', on: 'same-host' },
    { phase: 'binaries', on: 'same-host' },
  ],
  disrupts: 'node',
  timeouts: { applyMs: 5 * 60_000, verifyMs: 3 * 60_000 },
  expectedMs: 3_000,
  keepsRunning: { units: ['flanneld'] },
  options,
  requires: ({ options }) => ({
    ...flannelRequirements(options),
    artifacts: artifacts(options),
    objects: flannelRbac(),
  }),
  folders: () => [{ path: CONFIG_DIR }, { path: '/run/flannel' }],
  resources: async (context) => {
    const { cluster, host, options, pki } = context;
    const user = flannelClient(host);
    const client = await leafFiles(pki, user, `${KUBERNETES_PKI}/flannel`);
    const kubeconfig = kubeconfigWithFiles({
      cluster: cluster.metadata.name,
      user: user.commonName,
      server: apiServerUrl(context),
      ca: NODE_FILES.ca,
      cert: client.cert,
      key: client.key,
    });
    return [
      packages(FLANNEL_PACKAGES, directServers(context.cluster)),
      ...(await installAll(context, artifacts(options))),
      waitUrl(),
      ...client.resources,
      directory(CONFIG_DIR),
      file(KUBECONFIG, kubeconfig, { mode: 0o600 }),
      file(NET_CONF, flannelNetConf({ podCidr: cluster.spec.network.podCidr, ...options })),
      file(CNI_SCRIPT, cniConfigScript(), { mode: 0o755 }),
      service('flanneld', {
        unit: unit(context, client),
        restartOn: [`${BIN_DIR}/flanneld`, KUBECONFIG, client.cert, NET_CONF, CNI_SCRIPT],
        fills: ['/run/flannel', CNI_CONFLIST],
      }),
      otherBackendsLinks(options.backend),
    ];
  },
  hooks: {
    teardown: ({ remote, cluster }) => undoByScript(remote, FLANNEL_TEARDOWN, [cluster.spec.network.podCidr]),
  },
  async verify({ host, remote, fail, unitJournal }) {
    const { code, stderr } = await remote.script(CHECK, [FLANNEL_SUBNET_ENV, CNI_CONFLIST], {
      timeoutMs: 60_000,
      okCodes: 'any',
    });
    if (code === 0) return;
    const journal = await unitJournal('flanneld.service', 12);
    fail('VERIFY_FAILED', `flannel gives pods on ${host.name} no network`, `${stderr}\n${journal}`);
  },
});

/** The lease, what is made of it, and the unit. Whether Kubernetes calls the node Ready is asked by phase node-ready. */
const CHECK = `
tries=0
until [ -s "$1" ] && [ -s "$2" ] && systemctl is-active --quiet flanneld.service; do
  tries=$((tries + 1))
  if [ "$tries" -ge 100 ]; then
    for path in "$1" "$2"; do [ -s "$path" ] || echo "$path is missing" >&2; done
    echo "flanneld.service is $(systemctl is-active flanneld.service)" >&2
    exit 1
  fi
  sleep 0.2
done
`;

function unit(context: PhaseContext<Options>, client: { cert: string; key: string }): string {
  const { host, options } = context;
  const node = nodeObjectUrl(apiServerUrl(context), host.name);
  return daemonUnit({
    description: 'flannel',
    documentation: 'https://github.com/flannel-io/flannel',
    exec: [
      `${BIN_DIR}/flanneld`,
      ...flags({
        'kube-subnet-mgr': true,
        'kubeconfig-file': KUBECONFIG,
        'net-config-path': NET_CONF,
        iface: internalIpv4(host),
        'ip-masq': options.ipMasq,
      }),
    ],
    after: [context.offer(containerRuntime).unit],
    service: {
      Type: 'notify',
      Environment: `NODE_NAME=${host.name}`,
      // flanneld gives up where its node has no subnet yet.
      ExecStartPre: `${WAIT_URL} 60 ${node} ${NODE_FILES.ca} ${client.cert} ${client.key} '"podCIDR":'`,
      ExecStartPost: CNI_SCRIPT,
      TimeoutStartSec: 120,
    },
  });
}
