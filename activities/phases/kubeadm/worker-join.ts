import type { ApplyContext } from '../../resources/resource.ts';
import { apiServerUrl } from '../capabilities/control-plane-endpoint.ts';
import type { MasterOptions } from '../master/public.ts';
import { phaseOptions } from '../options.ts';
import type { PhaseContext } from '../phase.ts';
import { joinHost } from './join.ts';
import { certificateNames, clusterPart, hostPart, isStacked } from './parts.ts';

/** How a worker joins, and where its kubelet finds the API servers then. */
export function workerJoin(context: PhaseContext<unknown>): {
  server: string;
  join: (apply: ApplyContext, traces: readonly string[]) => Promise<void>;
} {
  return {
    server: apiServerUrl(context),
    join: async (apply, traces) => {
      const own: PhaseContext<MasterOptions> = {
        ...context,
        options: phaseOptions(context.cluster, context.phases.get('kubeadm')!) as MasterOptions,
      };
      await joinHost(context, apply, traces, {
        host: hostPart(context, null),
        cluster: await clusterPart(own, await certificateNames(own)),
        ...{ controlPlane: false, stacked: isStacked(context.cluster) },
      });
    },
  };
}
