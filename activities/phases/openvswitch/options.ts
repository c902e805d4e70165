import { z } from 'zod';
import { cidr, port } from '../../../contracts/primitives.ts';

export const TUNNELS = ['gre', 'vxlan'] as const;
export const DATAPATHS = ['auto', 'kernel', 'userspace'] as const;

/** IANA's port of VXLAN, and Open vSwitch's default. */
const VXLAN_PORT = 4789;
const TUNNEL_CIDR = '172.30.0.0/16';

export const options = z.strictObject({
  tunnel: z
    .enum(TUNNELS)
    .default('gre')
    .describe(
      'How packets travel from node to node. gre: IP protocol 47, 38 bytes of each packet; vxlan: UDP, 50 bytes',
    ),
  vxlanPort: port.default(VXLAN_PORT).describe('UDP port of tunnels by vxlan'),
  datapath: z
    .enum(DATAPATHS)
    .default('auto')
    .describe(
      'kernel: needs the module openvswitch, tunnels end at the addresses of the hosts; userspace: works without it, slower, all hosts in one layer 2 network; auto: kernel where the module exists',
    ),
  tunnelCidr: cidr
    .default(TUNNEL_CIDR)
    .describe(
      'Range of the addresses at which tunnels of the userspace datapath end: each host has the one with the low bits of its own address. Nothing else may use it',
    ),
  ipMasq: z
    .boolean()
    .default(true)
    .describe('True: pods reach addresses outside the cluster with the address of their node (masquerading)'),
});
export type OpenvswitchOptions = z.output<typeof options>;

/** Bytes that a tunnel adds to a packet of a pod: Ethernet 14 and IPv4 20, then GRE 4, or UDP 8 and VXLAN 8. */
export const TUNNEL_OVERHEAD: Readonly<Record<OpenvswitchOptions['tunnel'], number>> = { gre: 38, vxlan: 50 };

/** What all nodes must have alike for their tunnels to fit: hosts with another value do not reach each other. Pure. */
export const tunnelIdentity = (options: OpenvswitchOptions): string =>
  [
    options.tunnel,
    options.tunnel === 'vxlan' ? options.vxlanPort : '',
    options.datapath,
    options.datapath === 'kernel' ? '' : options.tunnelCidr,
  ].join(' ');
