import { CNI_BIN_DIR, CNI_CONF_DIR } from '../../kube/paths.ts';

/** The network configuration of a node. It sorts first. */
export const CNI_CONF_NAME = '10-calico.conflist';
export const CNI_CONFLIST = `${CNI_CONF_DIR}/${CNI_CONF_NAME}`;

/** The lock of iptables, which Felix shares with its node. */
export const XTABLES_LOCK = '/run/xtables.lock';

/** What Calico's pods write on a node. */
export const CALICO_FILLS = [
  CNI_CONFLIST,
  `${CNI_CONF_DIR}/calico-kubeconfig`,
  ...['calico', 'calico-ipam'].map((name) => `${CNI_BIN_DIR}/${name}`),
  ...['/var/lib/calico', '/run/calico', '/var/log/calico'],
  // The kubelet makes it for a pod that mounts it.
  XTABLES_LOCK,
];

/** Where calicoctl finds its settings by itself. */
export const CALICOCTL_DIR = '/etc/calico';
export const CALICOCTL_CONFIG = `${CALICOCTL_DIR}/calicoctl.cfg`;
