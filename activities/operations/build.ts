import type { ClusterSpec } from '../../contracts/cluster.ts';
import { type PlanMaker, planOfPhases, quarantinedOf } from './plan-phases.ts';
import type { WindowSizes } from './windows.ts';

/** Members and API servers one after the other: of three members, two have to serve. Of the nodes, what the policy allows. */
const sizes = ({ spec }: ClusterSpec): WindowSizes => ({
  etcd: 1,
  'control-plane': 1,
  node: spec.policy.maxUnavailableNodes ?? '10%',
});

/**
 * Every phase on every host that it is for, or on the hosts that were asked for. Hosts in quarantine are left out unless
 * they are asked for by name. A check is the same plan in mode `check`.
 */
export const makeBuildPlan: PlanMaker = (input, cluster, phases, { served } = { served: [] }) => {
  const { hosts } = input;
  const quarantined = quarantinedOf(input, cluster).filter((name) => !hosts?.includes(name));
  const out = new Set(quarantined);
  const wanted = (host: string) => (hosts === undefined || hosts.includes(host)) && !out.has(host);
  return planOfPhases(input, cluster, phases, wanted, { quarantined, rolls: { served, sizes: sizes(cluster) } });
};
