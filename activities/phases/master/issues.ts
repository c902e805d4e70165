import type { z } from 'zod';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import type { FieldIssue } from '../../../contracts/issues.ts';
import { engineOf } from '../capabilities/control-plane.ts';
import { podNetwork } from '../capabilities/pod-network.ts';
import type { Capability } from '../capability.ts';
import { controlPlaneIssues } from '../control-plane-issues.ts';
import { optionViews } from '../twice-set.ts';
import type { masterOptions } from './options.ts';

/** What of a spec does not go together for control planes, whichever engine starts them. Pure. */
export function masterIssues({
  cluster,
  options: { endpoint },
  offered,
}: {
  cluster: ClusterSpec;
  options: z.output<typeof masterOptions>;
  offered: <Data>(capability: Capability<Data>) => Data | null;
}): FieldIssue[] {
  const host = cluster.spec.controlPlane?.endpoint?.host ?? endpoint;
  return [
    ...controlPlaneIssues(cluster, 'master', offered(podNetwork)),
    ...nodeCidrIssues(cluster),
    ...(endpoint === undefined || endpoint === host
      ? []
      : [{ path: 'spec.phases.master.endpoint', message: `remove it: spec.controlPlane.endpoint.host is ${host}` }]),
    ...(engineOf(cluster) === 'binaries' && cluster.spec.controlPlane?.etcd !== undefined
      ? [
          {
            path: 'spec.controlPlane.etcd',
            message:
              'remove it: with engine binaries etcd runs on the hosts with the role etcd; kubeadm has the choice',
          },
        ]
      : []),
  ];
}

/** The size of the nodes' parts is a field of the network. */
const nodeCidrIssues = (cluster: ClusterSpec): FieldIssue[] =>
  cluster.spec.network.nodeCidrMaskSize === undefined
    ? []
    : optionViews(cluster, 'master').flatMap(({ options, place }) => {
        const flags = (options['controllerManager'] as { extraArgs?: object } | undefined)?.extraArgs ?? {};
        return ['node-cidr-mask-size', 'node-cidr-mask-size-ipv4']
          .filter((flag) => Object.hasOwn(flags, flag))
          .map((flag) => ({
            path: place(`controllerManager.extraArgs.${flag}`),
            message: 'spec.network.nodeCidrMaskSize sets the same: remove one of the two',
          }));
      });
