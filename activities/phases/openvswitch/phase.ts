import { familyOf, unitName } from '../../host/family/families.ts';
import { NODE_FILES } from '../../kube/node-files.ts';
import { leafFiles } from '../../kube/pki-files.ts';
import { directServers } from '../../kube/proxy.ts';
import { daemonUnit } from '../../render/unit.ts';
import { directory } from '../../resources/directory.ts';
import { undoByScript } from '../../resources/engine/undo.ts';
import { file } from '../../resources/file.ts';
import { packages } from '../../resources/packages.ts';
import { service } from '../../resources/service.ts';
import { containerRuntime } from '../capabilities/container-runtime.ts';
import { apiServerUrl } from '../capabilities/control-plane-endpoint.ts';
import { packetsBetweenNodes, podNetwork } from '../capabilities/pod-network.ts';
import type { OfferView } from '../capability.ts';
import { definePhase, type PhaseContext } from '../phase.ts';
import { MESH_UNITS, meshProbe } from './health.ts';
import { meshClient } from './identity.ts';
import { meshIssues } from './issues.ts';
import { MESH_SCRIPT } from './mesh-script.ts';
import { type OpenvswitchOptions, options, TUNNEL_OVERHEAD, tunnelIdentity } from './options.ts';
import { CLIENT, CNI_CONFLIST, CONFIG_DIR, MESH, MESH_UNIT, RUN_DIR, SETTINGS } from './paths.ts';
import { meshRequirements, OPENVSWITCH_PACKAGES } from './requirements.ts';
import { MESH_TEARDOWN } from './teardown-script.ts';
import { verifyMesh } from './verify.ts';

/** The pod network by Open vSwitch: one bridge of pods over all nodes, by tunnels from each node to each other. */
export default definePhase({
  name: 'openvswitch',
  title: 'Pod network (Open vSwitch)',
  hosts: 'nodes',
  offers: [
    podNetwork.offer(({ cluster, options }: OfferView<OpenvswitchOptions>) => ({
      mtu: cluster.spec.network.mtu ?? null,
      overhead: TUNNEL_OVERHEAD[options.tunnel],
      enforcesPolicies: false,
      needsPodCidr: true,
    })),
  ],
  optional: 'when-named',
  needs: [
    { phase: 'node-agent', on: 'same-host' },
    { phase: 'container-runtime', on: 'same-host' },
  ],
  disrupts: 'node',
  changesTogether: ({ before, after }) => tunnelIdentity(before) !== tunnelIdentity(after),
  timeouts: { applyMs: 10 * 60_000, verifyMs: 2 * 60_000 },
  expectedMs: 5_000,
  keepsRunning: MESH_UNITS,
  healthProbe: meshProbe,
  options,
  specIssues: meshIssues,
  requires: ({ cluster, options }) => ({
    ...meshRequirements(options),
    ...packetsBetweenNodes(cluster, TUNNEL_OVERHEAD[options.tunnel]),
  }),
  folders: () => [{ path: CONFIG_DIR }, { path: RUN_DIR }],
  resources: async (context) => {
    const { cluster, facts, host, pki } = context;
    const client = await leafFiles(pki, meshClient(host), CLIENT);
    return [
      packages(OPENVSWITCH_PACKAGES, directServers(cluster)),
      service(unitName(familyOf(facts), 'openvswitch-switch')),
      ...client.resources,
      directory(CONFIG_DIR),
      file(SETTINGS, settings(context, client)),
      file(MESH, MESH_SCRIPT, { mode: 0o755 }),
      service(MESH_UNIT, {
        unit: unit(context),
        restartOn: [SETTINGS, MESH, client.cert],
        fills: [RUN_DIR, CNI_CONFLIST],
      }),
    ];
  },
  hooks: { teardown: ({ remote }) => undoByScript(remote, MESH_TEARDOWN) },
  verify: verifyMesh,
});

/** What the program reads: sh variables, whose values have no character that sh would read as more. */
function settings(context: PhaseContext<OpenvswitchOptions>, { cert, key }: { cert: string; key: string }): string {
  const { cluster, host, options } = context;
  const { podCidr, mtu } = cluster.spec.network;
  const values = {
    node: host.name,
    server: apiServerUrl(context),
    ca: NODE_FILES.ca,
    cert,
    key,
    datapath: options.datapath,
    tunnel: options.tunnel,
    port: options.tunnel === 'vxlan' ? options.vxlanPort : 0,
    tunnel_cidr: options.tunnelCidr,
    pod_cidr: podCidr,
    mtu: mtu ?? '',
    overhead: TUNNEL_OVERHEAD[options.tunnel],
    masquerade: options.ipMasq ? 'yes' : 'no',
  };
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

function unit(context: PhaseContext<OpenvswitchOptions>): string {
  const { unit: runtime } = context.offer(containerRuntime);
  const daemons = ['ovsdb-server.service', 'ovs-vswitchd.service'];
  return daemonUnit({
    description: 'Pod network: tunnels of Open vSwitch to all nodes',
    documentation: 'https://docs.openvswitch.org',
    exec: [MESH, 'run'],
    after: daemons,
    wants: daemons,
    // At boot pods start when their bridge is there, as it was last: no API server may answer before they do.
    unit: { Before: `${runtime} kubelet.service` },
    service: {
      ExecStartPre: `-${MESH} restore`,
      TimeoutStartSec: 90,
    },
  });
}
