import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { type FieldIssue, formatPath } from '../../../contracts/issues.ts';

/** Labels that every kubelet writes on its node, again and again ("Well-Known Labels, Annotations and Taints" of Kubernetes). */
const OF_THE_KUBELET: ReadonlySet<string> = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'node.kubernetes.io/windows-build',
]);

/** Taints of these prefixes say what is wrong with a node: controllers set them, and take them away (the same list). */
const OF_CONTROLLERS = ['node.kubernetes.io/', 'node.cloudprovider.kubernetes.io/'];

/**
 * Labels and taints of hosts that another program than us keeps. Those that `before`, the spec that the cluster has, gives the same host
 * are left alone. Pure.
 */
export function reservedIssues({
  cluster,
  before,
}: {
  cluster: ClusterSpec;
  before: ClusterSpec | null;
}): FieldIssue[] {
  return cluster.spec.hosts.flatMap((host, index): FieldIssue[] => {
    const was = before?.spec.hosts.find(({ name }) => name === host.name);
    const labels = Object.keys(host.labels).filter((key) => OF_THE_KUBELET.has(key) && !(key in (was?.labels ?? {})));
    const taints = host.taints.flatMap(({ key }, place) => {
      const prefix = OF_CONTROLLERS.find((each) => key.startsWith(each));
      return prefix === undefined || was?.taints.some((each) => each.key === key) ? [] : [{ key, place, prefix }];
    });
    return [
      ...labels.map((key) => ({
        path: formatPath(['spec', 'hosts', index, 'labels', key]),
        message: `${key} is written by the kubelet of the node: choose another key`,
      })),
      ...taints.map(({ key, place, prefix }) => ({
        path: formatPath(['spec', 'hosts', index, 'taints', place, 'key']),
        message: `${key}: taints that begin with ${prefix} are set and removed by controllers of Kubernetes: choose another key`,
      })),
    ];
  });
}
