import { installAll } from '../../kube/install.ts';
import { LIB_DIR, waitUrl } from '../../kube/lib.ts';
import { internalIpv4, nodeCidrBits } from '../../kube/network.ts';
import { BIN_DIR, ETCD_CLIENT_PORT } from '../../kube/paths.ts';
import { directServers } from '../../kube/proxy.ts';
import { daemonUnit, flags } from '../../render/unit.ts';
import { directory } from '../../resources/directory.ts';
import { undoByScript } from '../../resources/engine/undo.ts';
import { file } from '../../resources/file.ts';
import { packages } from '../../resources/packages.ts';
import { service } from '../../resources/service.ts';
import { containerRuntime } from '../capabilities/container-runtime.ts';
import { packetsBetweenNodes, podNetwork } from '../capabilities/pod-network.ts';
import type { OfferView } from '../capability.ts';
import { endpointPlaces, externalEtcd } from '../etcd/public.ts';
import { definePhase, type PhaseContext } from '../phase.ts';
import type { RequiredPort } from '../requires.ts';
import { FLANNEL, FLANNEL_UDP } from './artifacts.ts';
import { backendFacts } from './backends.ts';
import { CNI_CONFLIST, cniConfigScript, FLANNEL_SUBNET_ENV } from './config.ts';
import { forgetLease } from './forget-lease.ts';
import { flannelRbac } from './identity.ts';
import { flannelIssues } from './issues.ts';
import { linksFollow } from './links-follow.ts';
import { networkConfig, tunnelOf, wireguardPort } from './network-config.ts';
import { etcdSubnetsOf, FLANNEL_ETCD_PREFIX, type FlannelOptions, flannelOptions } from './options.ts';
import { otherBackends } from './other-backends.ts';
import { CONFIG_DIR, NET_CONF } from './paths.ts';
import { FLANNEL_PACKAGES, flannelRequirements } from './requirements.ts';
import { type SubnetAccess, subnetAccess } from './subnets.ts';
import { FLANNEL_TEARDOWN } from './teardown-script.ts';

const CNI_SCRIPT = `${LIB_DIR}/flannel-cni`;

type Options = FlannelOptions;

const artifacts = ({ version, backend }: Pick<Options, 'version' | 'backend'>) => [
  { artifact: backend === 'udp' ? FLANNEL_UDP : FLANNEL, version },
];

/** Nodes with subnets in the cluster's own etcd are its clients. */
const ETCD_PORT: RequiredPort = {
  ...{ protocol: 'tcp', port: ETCD_CLIENT_PORT, what: 'etcd', holder: `${BIN_DIR}/etcd` },
  ...{ from: ['nodes'], on: 'etcd' },
};

/** The pod network. Subnets come from Kubernetes (each node's podCIDR), or from leases in etcd. */
export default definePhase({
  name: 'flannel',
  title: 'Pod network (flannel)',
  hosts: 'nodes',
  offers: [
    podNetwork.offer(({ cluster, options }: OfferView<Options>) => ({
      mtu: cluster.spec.network.mtu ?? null,
      overhead: backendFacts(options.backend).overhead,
      enforcesPolicies: false,
      needsPodCidr: etcdSubnetsOf(options) === null,
    })),
  ],
  optional: true,
  needs: [
    // Planned where subnets are in etcd.
    { phase: 'flannel-etcd', on: 'every-host' },
    { phase: 'node-agent', on: 'same-host' },
    { phase: 'container-runtime', on: 'same-host' },
    { phase: 'binaries', on: 'same-host' },
  ],
  disrupts: 'node',
  changesTogether: ({ before, after }) => tunnelOf(before) !== tunnelOf(after),
  timeouts: { applyMs: 5 * 60_000, verifyMs: 3 * 60_000 },
  expectedMs: 3_000,
  keepsRunning: { units: ['flanneld'] },
  options: flannelOptions,
  fixed: [
    {
      ...{ option: 'subnetManager', whenAbsent: 'kubernetes' },
      because: 'the addresses of running pods are in the subnets that it gave',
    },
    {
      ...{ option: 'etcdPrefix', whenAbsent: FLANNEL_ETCD_PREFIX },
      because: 'the subnets of nodes with running pods are there',
    },
  ],
  requires({ cluster, options }) {
    const backend = flannelRequirements({ ...options, wireguardPort: wireguardPort(options) });
    return {
      ...backend,
      ...packetsBetweenNodes(cluster, backendFacts(options.backend).overhead),
      artifacts: artifacts(options),
      ...(etcdSubnetsOf(options) ? { ports: [...(backend.ports ?? []), ETCD_PORT] } : { objects: flannelRbac() }),
    };
  },
  specIssues: flannelIssues,
  clientCertificates({ etcdCredential }, cluster) {
    const external = externalEtcd(cluster);
    if (!etcdCredential || !external) return [];
    return [{ credential: etcdCredential, places: endpointPlaces(external), option: ['etcdCredential'] }];
  },
  guarded: [{ option: 'etcdCredential' }, { option: 'etcdPrefix' }],
  folders: () => [{ path: CONFIG_DIR }, { path: '/run/flannel' }],
  resources: async (context) => {
    const { cluster, options, pki } = context;
    const { podCidr } = cluster.spec.network;
    const access = await subnetAccess(context);
    const netConf = await networkConfig(cluster, options, pki);
    return [
      packages(FLANNEL_PACKAGES, directServers(context.cluster)),
      ...(await installAll(context, artifacts(options))),
      waitUrl(),
      ...access.certificates,
      directory(CONFIG_DIR),
      ...access.files,
      file(NET_CONF, netConf, typeof netConf === 'string' ? {} : { mode: 0o600 }),
      file(CNI_SCRIPT, cniConfigScript(cluster.spec.network.mtu ?? null, nodeCidrBits(cluster)), { mode: 0o755 }),
      service('flanneld', {
        unit: unit(context, access),
        restartOn: [`${BIN_DIR}/flanneld`, ...access.restartOn, NET_CONF, CNI_SCRIPT],
        fills: ['/run/flannel', CNI_CONFLIST],
      }),
      otherBackends(options.backend, podCidr),
    ];
  },
  hooks: {
    after: linksFollow,
    async teardown(run) {
      const { remote, cluster } = run;
      const forgotten = await forgetLease(run);
      return [...forgotten, ...(await undoByScript(remote, FLANNEL_TEARDOWN, [cluster.spec.network.podCidr]))];
    },
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

function unit({ host, options, offer }: PhaseContext<Options>, access: SubnetAccess): string {
  return daemonUnit({
    description: 'flannel',
    documentation: 'https://github.com/flannel-io/flannel',
    exec: [`${BIN_DIR}/flanneld`, ...flags({ ...access.flags, iface: internalIpv4(host), 'ip-masq': options.ipMasq })],
    after: [offer(containerRuntime).unit],
    service: {
      Type: 'notify',
      Environment: `NODE_NAME=${host.name}`,
      ...(access.startPre === null ? {} : { ExecStartPre: access.startPre }),
      ExecStartPost: CNI_SCRIPT,
      TimeoutStartSec: 120,
    },
  });
}
