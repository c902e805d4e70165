/** What a kind of operation does to its cluster, as data. Types only: workflows and the store know no kinds. */

/**
 * `builds`: it brings hosts to the desired state of its spec, which becomes the cluster's; once one of all phases and hosts has
 * succeeded, the cluster is built. `repairs`: the same for some hosts of a cluster. `removes`: the hosts that it names leave
 * the cluster, without names all of them. `none`: spec and hosts of the cluster stay as they are.
 */
export type OperationEffect = 'builds' | 'repairs' | 'removes' | 'none';

/** A state of a cluster: what its latest operation in mode `apply` says. */
export type ClusterStateName =
  | 'building'
  | 'pausing'
  | 'paused'
  | 'blocked'
  | 'ready'
  | 'degraded'
  | 'failed'
  | 'incomplete'
  | 'removing'
  | 'removed';

/** The state of a cluster by that of an operation. `pausing`, `paused` and `blocked` are the cluster's too. */
export interface ClusterStates {
  running: ClusterStateName;
  /**
   * Absent: it follows from the effect. `builds`, `repairs`: ready, degraded with hosts in quarantine, incomplete before a
   * first build of the whole. `removes`: removed; with hosts left, and for `none`, as the last build left it.
   */
  succeeded?: ClusterStateName | undefined;
  failed: ClusterStateName;
  /** Cancelled, or lost. */
  stopped: ClusterStateName;
}

/** Travels with a request, into the operation's workflow, its tasks and its row in the store. */
export interface OperationTraits {
  effect: OperationEffect;
  clusterStates: ClusterStates;
  /** `quarantined`: it is about hosts in quarantine alone (default: all of them), and fails when none of them comes back. */
  targets?: 'quarantined' | undefined;
}
