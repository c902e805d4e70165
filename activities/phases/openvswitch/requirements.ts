import { POD_BRIDGE_REQUIREMENTS } from '../pod-bridge.ts';
import type { RequiredFeature, RequiredModule, Requirements } from '../requires.ts';
import { meshRbac } from './identity.ts';
import type { OpenvswitchOptions } from './options.ts';
import { MESH_UNIT, POD_BRIDGE, TUNNEL_BRIDGE, UPLINK, UPLINK_BRIDGE } from './paths.ts';

/** `iptables` for masquerading and forwarding. */
export const OPENVSWITCH_PACKAGES = ['openvswitch-switch', 'iptables'];

const reason = 'Open vSwitch';
const KERNEL: readonly RequiredFeature[] = [
  {
    name: 'openvswitch',
    symbol: 'ovs_dp_upcall',
    load: true,
    reason: 'Open vSwitch with datapath kernel (datapath userspace works without it)',
  },
];
/** `auto` takes the userspace datapath where the module openvswitch is missing; a kernel that has the module has these too. */
const USERSPACE: readonly RequiredFeature[] = [
  { name: 'tun', symbol: 'tun_get_socket', sign: '/dev/net/tun', reason: `${reason} with datapath userspace` },
  { name: 'macvlan', symbol: 'macvlan_common_newlink', reason: `${reason} with datapath userspace` },
];
/** What the kernel needs to send by a tunnel itself. */
const TUNNELS: Readonly<Record<OpenvswitchOptions['tunnel'], readonly RequiredModule[]>> = {
  gre: [{ name: 'ip_gre' }, { name: 'vport_gre' }],
  vxlan: [{ name: 'vxlan' }, { name: 'vport_vxlan' }],
};
const TUNNEL_FEATURES: Readonly<Record<OpenvswitchOptions['tunnel'], RequiredFeature>> = {
  gre: { name: 'ip_gre', linkType: 'gretap local 127.0.0.1 remote 127.0.0.2', reason: `${reason} tunnels by GRE` },
  vxlan: {
    name: 'vxlan',
    symbol: 'vxlan_dev_create',
    linkType: 'vxlan id 1 dstport 0',
    reason: `${reason} tunnels by VXLAN`,
  },
};

/** What Open vSwitch, its tunnels and the bridge of the pods need of a host. Pure. */
export function meshRequirements({ tunnel, vxlanPort, datapath, tunnelCidr }: OpenvswitchOptions): Requirements {
  const isKernel = datapath === 'kernel';
  const links = [POD_BRIDGE, TUNNEL_BRIDGE, ...(isKernel ? [] : [UPLINK_BRIDGE, UPLINK])];
  return {
    packages: OPENVSWITCH_PACKAGES,
    features: [...POD_BRIDGE_REQUIREMENTS.features, ...(isKernel ? [...KERNEL, TUNNEL_FEATURES[tunnel]] : USERSPACE)],
    modules: [...POD_BRIDGE_REQUIREMENTS.modules, ...(datapath === 'userspace' ? [] : TUNNELS[tunnel])],
    sysctls: POD_BRIDGE_REQUIREMENTS.sysctls,
    ...(tunnel === 'vxlan'
      ? {
          ports: [
            {
              ...{ protocol: 'udp', port: vxlanPort, what: 'Open vSwitch', from: ['nodes'] },
              setting: 'spec.phases.openvswitch.vxlanPort',
            },
          ],
        }
      : { protocols: [{ protocol: 'gre', what: 'Open vSwitch', from: ['nodes'] }] }),
    // Debian's package leaves some of them when it is purged.
    fills: ['/etc/openvswitch', '/run/openvswitch', '/var/lib/openvswitch', '/var/log/openvswitch'],
    ownRules: { chains: ['CNI-', 'KW-OVS-'], acceptsForwarded: true },
    ownLinks: { names: links, unit: MESH_UNIT, what: 'Open vSwitch' },
    ...(isKernel ? {} : { ranges: [{ range: tunnelCidr, field: 'spec.phases.openvswitch.tunnelCidr' }] }),
    ...(datapath === 'userspace' ? { sharesLink: { what: 'the userspace datapath of Open vSwitch' } } : {}),
    objects: meshRbac(),
  };
}
