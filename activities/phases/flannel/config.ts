import { CNI_CONF_DIR } from '../../kube/paths.ts';
import { type BackendSettings, backendFacts, type FlannelBackend } from './backends.ts';

/** Written by flanneld once it has its lease. */
export const FLANNEL_SUBNET_ENV = '/run/flannel/subnet.env';
/** The network configuration of flanneld (net-conf.json). */
export function flannelNetConf(
  podCidr: string,
  {
    backend,
    settings,
    subnetBits = null,
  }: {
    backend: FlannelBackend;
    settings: BackendSettings /** null: flannel assigns none. */;
    subnetBits?: number | null;
  },
): string {
  const own = { Type: backend, ...backendFacts(backend).config?.(settings) };
  const length = subnetBits === null ? {} : { SubnetLen: subnetBits };
  return `${JSON.stringify({ Network: podCidr, EnableIPv4: true, ...length, Backend: own }, null, 2)}\n`;
}

/** Our network configuration for containerd; the name sorts first. */
export const CNI_CONFLIST = `${CNI_CONF_DIR}/10-kubewright.conflist`;

const OCTETS = `# The lease names the gateway, 10.244.1.1/24; the plugin wants the network. Every node has a /24.
subnet=\${FLANNEL_SUBNET%.*}.0/\${FLANNEL_SUBNET#*/}`;
const ANY_BITS = `# The lease names the gateway, 10.244.1.129/25; the plugin wants the network.
bits=\${FLANNEL_SUBNET#*/}
IFS=.
set -- \${FLANNEL_SUBNET%/*}
unset IFS
number=$(((((($1 * 256 + $2) * 256 + $3) * 256 + $4) >> (32 - bits)) << (32 - bits)))
subnet=$((number >> 24)).$((number >> 16 & 255)).$((number >> 8 & 255)).$((number & 255))/$bits`;

/**
 * The script that turns flanneld's lease into a network for pods: what the flannel CNI plugin would delegate to. It runs
 * after every start of flanneld, because the lease lies on /run and may be another one after a reboot. Writes only what
 * differs. `mtu`: of the links of pods, bytes; null: flanneld's. `bits`: of the range of a node (24: the text of earlier versions).
 */
export function cniConfigScript(mtu: number | null, bits: number): string {
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
${bits === 24 ? OCTETS : ANY_BITS}
new=$(printf '%s' '${conflist}' | sed -e "s|MTU|${mtu ?? '$FLANNEL_MTU'}|" -e "s|SUBNET|$subnet|" -e "s|NETWORK|$FLANNEL_NETWORK|")
[ "$(cat ${CNI_CONFLIST} 2>/dev/null)" = "$new" ] || {
  umask 077
  printf '%s\\n' "$new" >${CNI_CONF_DIR}/.10-kubewright.new
  mv -f ${CNI_CONF_DIR}/.10-kubewright.new ${CNI_CONFLIST}
}
`;
}
