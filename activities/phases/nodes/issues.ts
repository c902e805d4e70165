import type { z } from 'zod';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import type { FieldIssue } from '../../../contracts/issues.ts';
import { nodeCidrBits } from '../../kube/network.ts';
import type { podNetwork } from '../capabilities/pod-network.ts';
import { nodeOptionIssues } from '../control-plane-issues.ts';
import { isTable } from '../option-types.ts';
import { optionViews, withoutRepeats } from '../twice-set.ts';

const modeOf = (options: unknown): unknown =>
  isTable(options) && isTable(options['kubeProxy']) ? options['kubeProxy']['mode'] : undefined;

/** Addresses of a node's range that no pod has: its own, that of the bridge, and the broadcast address. */
const NOT_FOR_PODS = 3;

/**
 * What of the options of nodes does not fit the pod network or each other. `network`: what it offers, null where none is chosen.
 * Of options that are valid. Pure.
 */
export function nodeIssues(cluster: ClusterSpec, network: z.output<typeof podNetwork.data> | null): FieldIssue[] {
  const bits = nodeCidrBits(cluster);
  const most = 2 ** (32 - bits) - NOT_FOR_PODS;
  const issues = optionViews(cluster, 'nodes').flatMap(({ options, host, place }): FieldIssue[] => {
    const part = (name: string) => (isTable(options[name]) ? options[name] : {});
    const { maxPods } = part('kubelet');
    const full =
      typeof maxPods === 'number' && maxPods > most && network?.needsPodCidr
        ? [
            {
              path: place('kubelet.maxPods'),
              message: `must be at most ${most}: each node has a /${bits} for its pods (spec.network.nodeCidrMaskSize)`,
            },
          ]
        : [];
    const unserved =
      modeOf(options) === 'none' && network && network.replacesKubeProxy !== true
        ? [
            {
              path: place('kubeProxy.mode'),
              message:
                'none needs a pod network that leads traffic to services itself, and the chosen one does not: no service would be reached',
            },
          ]
        : [];
    const wide = modeOf(cluster.spec.phases['nodes']);
    const mixed =
      host && (modeOf(options) === 'none') !== (wide === 'none')
        ? [
            {
              path: place('kubeProxy.mode'),
              message: 'none is for all nodes or for no node: set it in spec.phases.nodes',
            },
          ]
        : [];
    return [...full, ...unserved, ...mixed];
  });
  return withoutRepeats([...issues, ...nodeOptionIssues(cluster, 'nodes')]);
}
