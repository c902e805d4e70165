import { LIB_DIR } from '../../kube/lib.ts';
import { CNI_CONF_DIR, KUBERNETES_PKI, KUBEWRIGHT_DIR } from '../../kube/paths.ts';
import { STATE_DIR } from '../../resources/paths.ts';

/** The unit that makes and keeps bridges and tunnels, and its program. */
export const MESH_UNIT = 'kubewright-openvswitch';
export const MESH = `${LIB_DIR}/openvswitch-mesh`;

export const CONFIG_DIR = `${KUBEWRIGHT_DIR}/openvswitch`;
/** sh variables that the program reads. */
export const SETTINGS = `${CONFIG_DIR}/settings`;
/** Certificate with which the program reads nodes; without `.crt` and `.key`. */
export const CLIENT = `${KUBERNETES_PKI}/openvswitch`;

/** What has to outlive a reboot: the nodes as they were last, the datapath that was chosen, what a setting was before. */
export const MESH_STATE = `${STATE_DIR}/openvswitch`;
export const RUN_DIR = '/run/kubewright-openvswitch';

/** Our network configuration for the runtime; the name sorts first. */
export const CNI_CONFLIST = `${CNI_CONF_DIR}/10-kubewright.conflist`;

/** Linux bridge of the pods of a node: has the address of their gateway. */
export const POD_BRIDGE = 'kbr0';
/** Open vSwitch bridge with the tunnels to all other nodes, a port of the pods' bridge. */
export const TUNNEL_BRIDGE = 'obr0';
/** With the userspace datapath: Open vSwitch bridge with the address at which tunnels end, and its way to the network. */
export const UPLINK_BRIDGE = 'br-phy';
export const UPLINK = 'ovsup0';
