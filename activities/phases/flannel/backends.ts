import type { Arch } from '../../artifacts/artifact.ts';
import type { RequiredFeature, RequiredModule } from '../requires.ts';

/** IANA's VXLAN port is 4789; flannel's own default is the kernel's older one. */
export const FLANNEL_VXLAN_PORT = 8472;
/** flannel's port of its backend udp (pkg/backend/udp). */
const UDP_PORT = 8285;
/** flannel's, and WireGuard's own, default port (pkg/backend/wireguard). */
export const FLANNEL_WIREGUARD_PORT = 51_820;

/** The settings of backends. `presharedKey`: 32 bytes, base64; null: none. */
export interface BackendSettings {
  readonly vxlanPort: number;
  readonly wireguardPort: number;
  readonly keepaliveSeconds: number;
  readonly presharedKey: string | null;
}

interface BackendFacts {
  /** Links that flanneld makes, and leaves where they are when it ends. */
  readonly links: readonly string[];
  /** Bytes that it adds to a packet of a pod; the constants `overhead` and `encapOverhead` of pkg/backend. */
  readonly overhead: number;
  readonly features?: readonly RequiredFeature[];
  readonly modules?: readonly RequiredModule[];
  /** UDP port of its tunnels. */
  port?: (settings: Pick<BackendSettings, 'vxlanPort' | 'wireguardPort'>) => number;
  /** The field of the spec that changes the port. */
  readonly portSetting?: string;
  /** Packets of pods travel without a tunnel: nodes are each other's gateway, which works within one layer 2 network. */
  readonly sharesLink?: true;
  /** Machines that flanneld has it for; absent: all. */
  readonly onlyOn?: readonly Arch[];
  /** Its part of net-conf.json beside `Type`. */
  config?(settings: BackendSettings): Record<string, unknown>;
}

/** What each backend of flannel is and needs. A further backend is one more entry. */
export const BACKENDS = {
  vxlan: {
    links: ['flannel.1', 'flannel-v6.1'],
    overhead: 50,
    features: [
      { name: 'vxlan', symbol: 'vxlan_dev_create', linkType: 'vxlan id 1 dstport 0', reason: 'flannel backend vxlan' },
    ],
    modules: [{ name: 'udp_tunnel' }],
    port: ({ vxlanPort }) => vxlanPort,
    portSetting: 'spec.phases.flannel.vxlanPort',
    config: ({ vxlanPort }) => ({ Port: vxlanPort }),
  },
  'host-gw': { links: [], overhead: 0, sharesLink: true },
  udp: {
    links: ['flannel0'],
    overhead: 28,
    features: [{ name: 'tun', symbol: 'tun_get_socket', sign: '/dev/net/tun', reason: 'flannel backend udp' }],
    port: () => UDP_PORT,
    // Its packets go through a proxy in C, which flannel has for this machine alone (pkg/backend/udp/proxy_amd64.c).
    onlyOn: ['amd64'],
  },
  wireguard: {
    links: ['flannel-wg', 'flannel-wg-v6'],
    overhead: 80,
    features: [
      { name: 'wireguard', symbol: 'wg_packet_receive', linkType: 'wireguard', reason: 'flannel backend wireguard' },
    ],
    port: ({ wireguardPort }) => wireguardPort,
    portSetting: 'spec.phases.flannel.wireguard.port',
    config: ({ wireguardPort, keepaliveSeconds, presharedKey }) => ({
      ListenPort: wireguardPort,
      ...(keepaliveSeconds > 0 ? { PersistentKeepaliveInterval: keepaliveSeconds } : {}),
      ...(presharedKey === null ? {} : { PSK: presharedKey }),
    }),
  },
} as const satisfies Readonly<Record<string, BackendFacts>>;

export type FlannelBackend = keyof typeof BACKENDS;
export const FLANNEL_BACKENDS = Object.keys(BACKENDS) as [FlannelBackend, ...FlannelBackend[]];

/** What a backend is and needs. */
export const backendFacts = (backend: FlannelBackend): BackendFacts => BACKENDS[backend];

/** Links of all backends. */
export const ALL_LINKS: readonly string[] = Object.values(BACKENDS).flatMap(({ links }) => [...links]);
