import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { defineOperation, someHosts, somePhases } from '../operation-kind.ts';
import { askedHosts } from '../plan-phases.ts';
import type { WindowSizes } from '../windows.ts';

/**
 * Members, API servers and load balancers one after the other: of three members, two have to serve. Then of the nodes, which
 * connect to all of them, what the policy allows.
 */
const sizes = ({ spec }: ClusterSpec): WindowSizes => ({
  etcd: 1,
  'control-plane': 1,
  'load-balancer': 1,
  node: spec.policy.maxUnavailableNodes ?? '10%',
});

/**
 * Every phase on every host that it is for, or on the hosts and of the phases that were asked for. Hosts in quarantine are left
 * out unless they are asked for by name; those that are asked for are in again when it succeeds.
 */
export default defineOperation({
  name: 'build',
  title: 'brings the cluster to the state of its spec',
  role: 'operator',
  modes: ['apply', 'check'],
  request: { ...somePhases, ...someHosts },
  startedBy: ['spec'],
  effect: 'builds',
  clusterStates: { running: 'building', failed: 'failed', stopped: 'incomplete' },

  plan: (input, cluster, { served }) => ({
    ...askedHosts(input, cluster),
    rolls: { served, sizes: sizes(cluster) },
  }),
});
