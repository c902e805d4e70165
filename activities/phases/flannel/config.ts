import { CNI_CONF_DIR } from '../../kube/paths.ts';

/** Written by flanneld once it has its lease. */
export const FLANNEL_SUBNET_ENV = '/run/flannel/subnet.env';
/** IANA's VXLAN port is 4789; flannel's own default is the kernel's older one. */
export const FLANNEL_VXLAN_PORT = 8472;

export const FLANNEL_BACKENDS = ['vxlan', 'host-gw', 'udp'] as const;
export type FlannelBackend = (typeof FLANNEL_BACKENDS)[number];

/** The network configuration of flanneld (net-conf.json). */
export function flannelNetConf(config: { podCidr: string; backend: FlannelBackend; vxlanPort?: number }): string {
  const backend: Record<string, unknown> = { Type: config.backend };
  if (config.backend === 'vxlan') backend['Port'] = config.vxlanPort ?? FLANNEL_VXLAN_PORT;
  return `${JSON.stringify({ Network: config.podCidr, EnableIPv4: true, Backend: backend }, null, 2)}\n`;
}

/** Our network configuration for containerd; the name sorts first. */
export const CNI_CONFLIST = `${CNI_CONF_DIR}/10-kubewright.conflist`;

/**
 * The script that turns flanneld's lease into a network for pods: what the flannel CNI plugin would delegate to. It runs
 * after every start of flanneld, because the lease lies on /run and may be another one after a reboot. Writes only what
 * differs.
 */
export function cniConfigScript(): string {
  // With placeholders in capitals: the shell fills in what the lease says.
  const conflist = JSON.stringify({
    cniVersion: '1.0.0',
    name: 'kubewright',
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        mtu: 'MTU',
        isDefaultGateway: true,
        hairpinMode: true,
        ipMasq: false,
        ipam: { type: 'host-local', ranges: [[{ subnet: 'SUBNET' }]], routes: [{ dst: 'NETWORK' }] },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  }).replace('"MTU"', 'MTU');
  return `#!/bin/sh
# Written by Kubewright. From flanneld's lease to a network configuration for pods.
set -eu
. ${FLANNEL_SUBNET_ENV}
# The lease names the gateway, 10.244.1.1/24; the plugin wants the network. Every node has a /24.
subnet=\${FLANNEL_SUBNET%.*}.0/\${FLANNEL_SUBNET#*/}
new=$(printf '%s' '${conflist}' | sed -e "s|MTU|$FLANNEL_MTU|" -e "s|SUBNET|$subnet|" -e "s|NETWORK|$FLANNEL_NETWORK|")
[ "$(cat ${CNI_CONFLIST} 2>/dev/null)" = "$new" ] || {
  umask 077
  printf '%s\\n' "$new" >${CNI_CONF_DIR}/.10-kubewright.new
  mv -f ${CNI_CONF_DIR}/.10-kubewright.new ${CNI_CONFLIST}
}
`;
}
