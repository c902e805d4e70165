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
import { secretText } from '../../resources/resource.ts';
import { service } from '../../resources/service.ts';
import { containerRuntime } from '../capabilities/container-runtime.ts';
import { apiServerUrl } from '../capabilities/control-plane-endpoint.ts';
import { packetsBetweenNodes, podNetwork } from '../capabilities/pod-network.ts';
import type { OfferView } from '../capability.ts';
import { definePhase, type PhaseContext } from '../phase.ts';
import { FLANNEL, FLANNEL_UDP } from './artifacts.ts';
import {
  type BackendSettings,
  backendFacts,
  FLANNEL_BACKENDS,
  FLANNEL_VXLAN_PORT,
  FLANNEL_WIREGUARD_PORT,
} from './backends.ts';
import { CNI_CONFLIST, cniConfigScript, FLANNEL_SUBNET_ENV, flannelNetConf } from './config.ts';
import { flannelClient, flannelRbac } from './identity.ts';
import { otherBackends } from './other-backends.ts';
import { FLANNEL_PACKAGES, flannelRequirements } from './requirements.ts';
import { FLANNEL_TEARDOWN } from './teardown-script.ts';

const CONFIG_DIR = `${KUBEWRIGHT_DIR}/flannel`;
const NET_CONF = `${CONFIG_DIR}/net-conf.json`;
const KUBECONFIG = `${CONFIG_DIR}/kubeconfig`;
const CNI_SCRIPT = `${LIB_DIR}/flannel-cni`;

const wireguard = z.strictObject({
  port: port.default(FLANNEL_WIREGUARD_PORT).describe('UDP port'),
  keepaliveSeconds: z
    .int()
    .min(0)
    .max(65_535)
    .default(0)
    .describe('Interval of packets that keep the entry of a NAT between nodes alive; 0: none are sent'),
  presharedKey: z
    .boolean()
    .default(false)
    .describe('Adds a key that all nodes share, made and kept by Kubewright, to the key pairs that each node makes'),
});

const options = z.strictObject({
  version: version.default(FLANNEL.version),
  backend: z
    .enum(FLANNEL_BACKENDS)
    .default('vxlan')
    .describe(
      'vxlan: works on every network; host-gw: faster, needs all hosts in one layer 2 network; udp: for kernels without vxlan, amd64 only; wireguard: encrypted',
    ),
  vxlanPort: port.default(FLANNEL_VXLAN_PORT),
  // Without a default: hosts of earlier versions keep the digest of their options.
  wireguard: wireguard.optional().describe('Settings of the backend wireguard'),
  ipMasq: z
    .boolean()
    .default(true)
    .describe('True: pods reach addresses outside the cluster with the address of their node (masquerading)'),
});
type Options = z.output<typeof options>;

const artifacts = ({ version, backend }: Pick<Options, 'version' | 'backend'>) => [
  { artifact: backend === 'udp' ? FLANNEL_UDP : FLANNEL, version },
];

/** Name of the secret with which the backend wireguard encrypts beside the keys of the nodes. */
const PRESHARED_KEY = 'flannel-wireguard';
/** Bytes of a key of WireGuard. */
const KEY_BYTES = 32;

const wireguardPort = ({ wireguard }: Options): number => wireguard?.port ?? FLANNEL_WIREGUARD_PORT;

async function settingsOf({ options, pki }: PhaseContext<Options>): Promise<BackendSettings> {
  const { vxlanPort, backend, wireguard } = options;
  const isShared = backend === 'wireguard' && wireguard?.presharedKey;
  return {
    vxlanPort,
    wireguardPort: wireguardPort(options),
    keepaliveSeconds: wireguard?.keepaliveSeconds ?? 0,
    presharedKey: isShared ? (await pki.randomSecret(PRESHARED_KEY, KEY_BYTES)).value : null,
  };
}

/** What both ends of a tunnel, or of a route, have to have alike: flanneld ignores nodes with another backend. */
const tunnelOf = (options: Options): string =>
  JSON.stringify([
    options.backend,
    backendFacts(options.backend).port?.({ ...options, wireguardPort: wireguardPort(options) }) ?? null,
    options.wireguard?.presharedKey ?? false,
  ]);

/** The pod network. Subnets come from Kubernetes: each node's podCIDR. */
export default definePhase({
  name: 'flannel',
  title: 'Pod network (flannel)',
  hosts: 'nodes',
  offers: [
    podNetwork.offer(({ cluster, options }: OfferView<Options>) => ({
      mtu: cluster.spec.network.mtu ?? null,
      overhead: backendFacts(options.backend).overhead,
      enforcesPolicies: false,
      needsPodCidr: true,
    })),
  ],
  optional: true,
  needs: [
    { phase: 'node-agent', on: 'same-host' },
    { phase: 'container-runtime', on: 'same-host' },
    { phase: 'binaries', on: 'same-host' },
  ],
  disrupts: 'node',
  changesTogether: ({ before, after }) => tunnelOf(before) !== tunnelOf(after),
  timeouts: { applyMs: 5 * 60_000, verifyMs: 3 * 60_000 },
  expectedMs: 3_000,
  keepsRunning: { units: ['flanneld'] },
  options,
  requires: ({ cluster, options }) => ({
    ...flannelRequirements({ ...options, wireguardPort: wireguardPort(options) }),
    ...packetsBetweenNodes(cluster, backendFacts(options.backend).overhead),
    artifacts: artifacts(options),
    objects: flannelRbac(),
  }),
  specIssues: ({ options: { backend, wireguard } }) =>
    wireguard && backend !== 'wireguard'
      ? [
          {
            path: 'spec.phases.flannel.wireguard',
            message: `are settings of the backend wireguard, and the backend is ${backend}: remove them, or set backend: wireguard`,
          },
        ]
      : [],
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
    const { podCidr } = cluster.spec.network;
    const settings = await settingsOf(context);
    const netConf = flannelNetConf(podCidr, options.backend, settings);
    return [
      packages(FLANNEL_PACKAGES, directServers(context.cluster)),
      ...(await installAll(context, artifacts(options))),
      waitUrl(),
      ...client.resources,
      directory(CONFIG_DIR),
      file(KUBECONFIG, kubeconfig, { mode: 0o600 }),
      settings.presharedKey === null ? file(NET_CONF, netConf) : file(NET_CONF, secretText(netConf), { mode: 0o600 }),
      file(CNI_SCRIPT, cniConfigScript(cluster.spec.network.mtu ?? null), { mode: 0o755 }),
      service('flanneld', {
        unit: unit(context, client),
        restartOn: [`${BIN_DIR}/flanneld`, KUBECONFIG, client.cert, NET_CONF, CNI_SCRIPT],
        fills: ['/run/flannel', CNI_CONFLIST],
      }),
      otherBackends(options.backend, podCidr),
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
