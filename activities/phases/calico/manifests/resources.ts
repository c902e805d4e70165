import type { CalicoMode, CalicoOptions } from '../options.ts';

const apiVersion = 'crd.projectcalico.org/v1';

const ENCAPSULATION: Readonly<Record<CalicoMode, { ipipMode: string; vxlanMode: string }>> = {
  vxlan: { ipipMode: 'Never', vxlanMode: 'Always' },
  bgp: { ipipMode: 'Never', vxlanMode: 'Never' },
  ipip: { ipipMode: 'Always', vxlanMode: 'Never' },
};

/** Labels as an expression of Calico. */
function selectorOf(labels: Readonly<Record<string, string>>): string {
  const terms = Object.entries(labels).map(([key, value]) => `${key} == "${value}"`);
  return terms.length > 0 ? terms.join(' && ') : 'all()';
}

/** Calico's own resources: the range of the pods, and whom the nodes exchange routes with. */
export function calicoResources(podCidr: string, options: CalicoOptions): object[] {
  const { mode, blockSize, natOutgoing, nodeSelector, bgp } = options;
  const pool = {
    apiVersion,
    kind: 'IPPool',
    // Calico's own name for it.
    metadata: { name: 'default-ipv4-ippool' },
    spec: {
      ...{ cidr: podCidr, blockSize, natOutgoing, ...ENCAPSULATION[mode] },
      nodeSelector: selectorOf(nodeSelector),
      allowedUses: ['Workload', 'Tunnel'],
    },
  };
  if (mode === 'vxlan') return [pool];
  return [
    pool,
    {
      apiVersion,
      kind: 'BGPConfiguration',
      metadata: { name: 'default' },
      spec: { asNumber: bgp.asNumber, nodeToNodeMeshEnabled: bgp.nodeMesh, logSeverityScreen: 'Info' },
    },
    ...bgp.peers.map(({ address, asNumber, nodes }) => ({
      apiVersion,
      kind: 'BGPPeer',
      metadata: { name: `peer-${address.replaceAll('.', '-')}` },
      spec: {
        ...{ peerIP: address, asNumber },
        nodeSelector: nodes ? `kubernetes.io/hostname in { ${nodes.map((name) => `"${name}"`).join(', ')} }` : 'all()',
      },
    })),
  ];
}
