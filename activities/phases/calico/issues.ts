import { type ClusterSpec, kubeHosts } from '../../../contracts/cluster.ts';
import { type FieldIssue, formatPath } from '../../../contracts/issues.ts';
import { type CalicoOptions, typhaReplicas } from './options.ts';

const at = (...path: (string | number)[]): string => formatPath(['spec', 'phases', 'calico', ...path]);

/** What of a spec does not go together with Calico. Pure. */
export function calicoIssues({ cluster, options }: { cluster: ClusterSpec; options: CalicoOptions }): FieldIssue[] {
  return [...blockIssues(cluster, options), ...bgpIssues(cluster, options), ...typhaIssues(cluster, options)];
}

/** Every node has to get a block, or its pods get no address. */
function blockIssues(cluster: ClusterSpec, { blockSize }: CalicoOptions): FieldIssue[] {
  const { podCidr } = cluster.spec.network;
  const nodes = kubeHosts(cluster).length;
  const blocks = 2 ** (blockSize - Number(podCidr.split('/')[1]));
  if (blocks >= nodes) return [];
  const has = blocks < 1 ? 'is smaller than one such block' : `has ${blocks} such ${blocks === 1 ? 'block' : 'blocks'}`;
  const message = `spec.network.podCidr ${podCidr} ${has}, and ${nodes} nodes need one each: choose a longer length, or a larger range`;
  return [{ path: at('blockSize'), message }];
}

function bgpIssues({ spec, ...cluster }: ClusterSpec, { mode, bgp }: CalicoOptions): FieldIssue[] {
  const { peers, nodeMesh } = bgp;
  if (mode === 'vxlan') {
    const set = peers.length > 0 ? 'peers' : nodeMesh ? null : 'nodeMesh';
    if (set === null) return [];
    return [{ path: at('bgp', set), message: 'mode vxlan has no BGP: choose mode bgp or ipip, or leave it out' }];
  }
  const issues: FieldIssue[] = [];
  if (!nodeMesh && peers.length === 0) {
    const message = 'without the mesh of nodes no node learns the routes of another: name peers, or leave the mesh on';
    issues.push({ path: at('bgp', 'nodeMesh'), message });
  }
  const nodes = new Set(kubeHosts({ spec, ...cluster }).map(({ name }) => name));
  const seen = new Set<string>();
  for (const [index, { address, nodes: named = [] }] of peers.entries()) {
    if (seen.has(address)) {
      issues.push({ path: at('bgp', 'peers', index, 'address'), message: `${address} is named twice` });
    }
    seen.add(address);
    for (const [place, name] of named.entries()) {
      if (nodes.has(name)) continue;
      const message = `${name} is no host of the cluster that runs pods`;
      issues.push({ path: at('bgp', 'peers', index, 'nodes', place), message });
    }
  }
  return issues;
}

/** They have the network of their node: two on one node would want one port. */
function typhaIssues(cluster: ClusterSpec, options: CalicoOptions): FieldIssue[] {
  const replicas = typhaReplicas(cluster, options);
  const nodes = kubeHosts(cluster).length;
  if (replicas <= nodes) return [];
  const message = `${replicas} are more than the ${nodes} nodes: each has the network of its node, and a port there`;
  return [{ path: at('typha', 'replicas'), message }];
}
