import type { RequiredFeature, RequiredModule, RequiredPackages, Requirements } from '../requires.ts';
import type { FlannelBackend } from './config.ts';

/** flanneld keeps its rules with iptables. */
export const FLANNEL_PACKAGES = { apt: ['iptables'], dnf: ['iptables-nft'] } satisfies RequiredPackages;

/** flannel's port of its backend udp (pkg/backend/udp). */
const UDP_PORT = 8285;

/** What a backend needs: of the kernel, and the port of its tunnels. */
const BACKENDS: Readonly<
  Record<
    FlannelBackend,
    { features?: readonly RequiredFeature[]; modules?: readonly RequiredModule[]; port?: (vxlanPort: number) => number }
  >
> = {
  vxlan: {
    features: [
      { name: 'vxlan', symbol: 'vxlan_dev_create', linkType: 'vxlan id 1 dstport 0', reason: 'flannel backend vxlan' },
    ],
    modules: [{ name: 'udp_tunnel' }],
    port: (vxlanPort) => vxlanPort,
  },
  'host-gw': {},
  udp: {
    features: [{ name: 'tun', symbol: 'tun_get_socket', sign: '/dev/net/tun', reason: 'flannel backend udp' }],
    port: () => UDP_PORT,
  },
};

/** Pods of one host are behind a bridge: their packets to each other must pass the rules of services. */
const BRIDGE: RequiredFeature = {
  name: 'br_netfilter',
  symbol: 'br_netfilter_enable',
  sign: '/proc/sys/net/bridge/bridge-nf-call-iptables',
  load: true,
  reason: 'services between pods of one host',
};

/** What flanneld and the CNI plugins bridge and portmap need of a host. Pure. */
export function flannelRequirements(options: { backend: FlannelBackend; vxlanPort: number }): Requirements {
  const { features = [], modules = [], port } = BACKENDS[options.backend];
  return {
    packages: FLANNEL_PACKAGES,
    features: [BRIDGE, ...features],
    modules: [{ name: 'bridge' }, { name: 'veth' }, ...modules],
    sysctls: {
      'net.bridge.bridge-nf-call-iptables': { value: '1' },
      // Loose: answers may come back through another interface than the overlay's. Only strict filtering (1) drops them.
      'net.ipv4.conf.all.rp_filter': { value: '2', alsoGood: ['0'] },
    },
    ...(port ? { ports: [{ protocol: 'udp', port: port(options.vxlanPort), what: 'flannel', from: ['nodes'] }] } : {}),
    // Without an overlay, answers and NodePort traffic of other nodes carry their own addresses.
    forwards: options.backend === 'host-gw' ? ['nodes'] : [],
    ownRules: { chains: ['CNI-'], tables: ['flannel-*'], acceptsForwarded: true },
  };
}
