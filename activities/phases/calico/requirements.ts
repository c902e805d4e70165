import type { ClusterSpec } from '../../../contracts/cluster.ts';
import type { Host } from '../../../contracts/host.ts';
import { isControlPlane } from '../../kube/network.ts';
import { packetsBetweenNodes } from '../capabilities/pod-network.ts';
import type { RequiredFeature, RequiredModule, RequiredPort, RequiredProtocol, Requirements } from '../requires.ts';
import { CALICO_CNI, CALICO_KUBE_CONTROLLERS, CALICO_NODE, CALICO_TYPHA, CALICOCTL } from './artifacts.ts';
import { type CalicoMode, type CalicoOptions, typhaReplicas } from './options.ts';
import { CALICO_FILLS } from './paths.ts';

/** Felix has its own in its image; a teardown takes rules and sets away with those of the host. */
export const CALICO_PACKAGES = ['iptables', 'ipset'];

/** IANA's port of VXLAN. */
export const VXLAN_PORT = 4789;
export const BGP_PORT = 179;
export const TYPHA_PORT = 5473;
/** Felix and Typha say there, on the host itself, whether they work. */
export const FELIX_HEALTH_PORT = 9099;
export const TYPHA_HEALTH_PORT = 9098;

/** What Felix keeps policies with. */
const POLICIES: readonly RequiredFeature[] = [
  { name: 'ip_set', symbol: 'ip_set_type_register', reason: 'network policies of Calico' },
  { name: 'xt_set', symbol: 'set_match_v4', reason: 'network policies of Calico' },
  { name: 'xt_multiport', symbol: 'multiport_mt', reason: 'network policies of Calico' },
];

const MODULES = [
  'veth',
  'ip_set_hash_ip',
  'ip_set_hash_net',
  'ip_set_hash_ipport',
  'xt_mark',
  'xt_comment',
  'xt_addrtype',
];

const bgp: RequiredPort = { protocol: 'tcp', port: BGP_PORT, what: 'Calico (BGP)', from: ['nodes'] };

/** What a mode needs: of the kernel, and the port of its tunnels or routes. */
const MODES: Readonly<
  Record<
    CalicoMode,
    {
      features?: readonly RequiredFeature[];
      modules?: readonly RequiredModule[];
      port: RequiredPort;
      protocols?: readonly RequiredProtocol[];
    }
  >
> = {
  vxlan: {
    features: [
      { name: 'vxlan', symbol: 'vxlan_dev_create', linkType: 'vxlan id 1 dstport 0', reason: 'Calico mode vxlan' },
    ],
    modules: [{ name: 'udp_tunnel' }],
    port: { protocol: 'udp', port: VXLAN_PORT, what: 'Calico (VXLAN)', from: ['nodes'] },
  },
  bgp: { port: bgp },
  ipip: {
    features: [{ name: 'ipip', symbol: 'ipip_tunnel_xmit', linkType: 'ipip', reason: 'Calico mode ipip' }],
    port: bgp,
    protocols: [{ protocol: 'ipencap', what: 'Calico (IP-in-IP)', from: ['nodes'] }],
  },
};

/** Bytes that a mode adds to a packet between nodes (documentation of the project, "Configure MTU"). */
export const MODE_OVERHEAD: Readonly<Record<CalicoMode, number>> = { vxlan: 50, bgp: 0, ipip: 20 };

/** What Calico needs of a node. Pure. */
export function calicoRequirements({
  cluster,
  host,
  options,
}: {
  cluster: ClusterSpec;
  host: Host;
  options: CalicoOptions;
}): Requirements {
  const { features = [], modules = [], port, protocols } = MODES[options.mode];
  const hasTypha = typhaReplicas(cluster, options) > 0;
  return {
    packages: CALICO_PACKAGES,
    fills: CALICO_FILLS,
    features: [...POLICIES, ...features],
    modules: [...MODULES.map((name): RequiredModule => ({ name })), ...modules],
    ports: [
      port,
      { protocol: 'tcp', port: FELIX_HEALTH_PORT, what: 'Calico (Felix)', from: [] },
      ...(hasTypha
        ? ([
            { protocol: 'tcp', port: TYPHA_PORT, what: 'Calico (Typha)', from: ['nodes'] },
            { protocol: 'tcp', port: TYPHA_HEALTH_PORT, what: 'Calico (Typha)', from: [] },
          ] satisfies RequiredPort[])
        : []),
    ],
    ...(protocols ? { protocols } : {}),
    // Without an overlay, answers and NodePort traffic of other nodes carry their own addresses.
    forwards: options.mode === 'bgp' ? ['nodes'] : [],
    // Routers beyond the nodes learn the routes from peers alone.
    ...(options.mode === 'bgp' && options.bgp.peers.length === 0 ? { sharesLink: { what: 'Calico mode bgp' } } : {}),
    ...packetsBetweenNodes(cluster, MODE_OVERHEAD[options.mode]),
    ownRules: { chains: ['cali-', 'CNI-'], acceptsForwarded: true },
    images: [CALICO_NODE, CALICO_CNI, CALICO_KUBE_CONTROLLERS, ...(hasTypha ? [CALICO_TYPHA] : [])],
    artifacts: isControlPlane(host) && options.calicoctl ? [{ artifact: CALICOCTL, version: CALICOCTL.version }] : [],
  };
}
