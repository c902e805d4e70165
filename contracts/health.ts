/**
 * Health of a cluster: what is wrong with it at one moment, whatever its latest operation did. Zod-free: workflows import
 * this file. `docs/health.md` is generated from HEALTH_CODES.
 */

import type { Health } from './status.ts';

export type { Health, HealthReason } from './status.ts';

/**
 * `degraded`: at least one reason below holds. `unknown`: it could not be read (no cluster there yet, no control plane
 * answered over SSH). `healthy`: everything was looked at, and nothing was found.
 */
export const HEALTH_STATES = ['healthy', 'degraded', 'unknown'] as const;

/** What a reason's code says, and what a person does about it. */
export interface HealthEntry {
  readonly title: string;
  readonly hint: string;
}

const entry = (title: string, hint: string): HealthEntry => ({ title, hint });

const FREE_SPACE =
  'Free space on the file system named, or lower `spec.phases.nodes.kubelet.config.evictionHard`; the condition goes away after `evictionPressureTransitionPeriod` (5 minutes unless set).';

export const HEALTH_CODES = {
  NODE_NOT_READY: entry(
    'A node is not Ready',
    'The evidence has the message of the kubelet; a build starts units that have stopped.',
  ),
  NODE_MISSING: entry('A host of the spec is no node of the cluster', 'Run a build; it registers the node again.'),
  DISK_PRESSURE: entry('The kubelet of a node evicts pods for want of disk space', FREE_SPACE),
  MEMORY_PRESSURE: entry(
    'The kubelet of a node evicts pods for want of memory',
    'End or move what uses the memory, or lower `evictionHard` (memory.available) of the kubelet.',
  ),
  PID_PRESSURE: entry(
    'A node is short of process ids',
    'Find the process that forks; `kernel.pid_max` bounds the node.',
  ),
  NETWORK_UNAVAILABLE: entry(
    'The pod network of a node is not set up',
    'Read the journal of flanneld on the node; a build starts it again.',
  ),
  NODE_UNSCHEDULABLE: entry(
    'A node is cordoned: it takes no new pods',
    'kubectl uncordon NODE, when the work on it is done.',
  ),
  NODE_TAINTED: entry(
    'A taint that is not of the spec keeps pods off a node',
    'Take it off with kubectl taint, or write it into `taints` of the host.',
  ),
  WORKLOAD_MISSING: entry('A workload of ours is not in the cluster', 'Run a build; it applies the manifests again.'),
  WORKLOAD_UNAVAILABLE: entry(
    'A workload of ours has fewer ready pods than it wants',
    'The evidence has the reason of each pod that is not ready, from the end of its newest message.',
  ),
  API_SERVER_NOT_READY: entry(
    'The API server of a control plane is not ready',
    'Read the journal of kube-apiserver on that host; a build starts a unit that has stopped.',
  ),
  API_SERVICE_UNAVAILABLE: entry(
    'The metrics API is not available: kubectl top and autoscalers fail',
    'Look at the pods of metrics-server, and at the network from control planes to pods.',
  ),
  LEADER_LOST: entry(
    'No controller manager, or no scheduler, has renewed its lease',
    'Read the journals of kube-controller-manager and kube-scheduler on the control planes.',
  ),
  ETCD_UNHEALTHY: entry(
    'An etcd member does not answer, or is in touch with no majority',
    'Read the journal of etcd on that host; GET the cluster for its state, and replace the host if the machine is lost.',
  ),
  ETCD_ALARM: entry(
    'etcd has raised an alarm; with NOSPACE it refuses every write',
    'NOSPACE: compact and defragment, then etcdctl alarm disarm. CORRUPT: replace the member named.',
  ),
  ETCD_SPACE: entry(
    "An etcd member's database nears its quota, or its disk is nearly full",
    'Defragment when much of the database is not in use; raise `spec.phases.etcd.quotaBytes`, or free disk space.',
  ),
  DISK_LOW: entry('A file system of a node has less free than the kubelet wants: it evicts pods', FREE_SPACE),
  IMAGE_GC: entry(
    'The file system of images is fuller than the kubelet wants: it deletes images that no container uses',
    'Free space, or raise `imageGCHighThresholdPercent` in `spec.phases.nodes.kubelet.config`.',
  ),
  MEMORY_LOW: entry(
    'A node has less memory available than the kubelet wants: it evicts pods',
    'End or move what uses the memory, or lower `evictionHard` (memory.available) of the kubelet.',
  ),
  CERTIFICATE_EXPIRED: entry(
    'A certificate on a host has expired',
    'Run a build; it puts a new one in place. Of an authority: see docs/operations.md.',
  ),
  CERTIFICATE_EXPIRING: entry(
    'A certificate on a host ends soon',
    'Run a build; it renews certificates that have less than a fifth of their life left.',
  ),
  UNIT_NOT_RUNNING: entry('A unit of ours does not run on a host', 'Read its journal; a build starts it again.'),
  HOST_QUARANTINED: entry(
    'The cluster goes on without a host',
    'Repair the machine, then POST /clusters/{name}/operations {"kind":"heal"}, or replace the host.',
  ),
  NOT_LOOKED_AT: entry(
    'The health could not be looked at',
    'The evidence has the error; the next build or check looks again.',
  ),
  HOST_UNREACHABLE: entry(
    'A host did not answer while the health was looked at',
    'Check that the machine is up and that sshd runs; the build names the cause when it runs there.',
  ),
} as const satisfies Record<string, HealthEntry>;

export type HealthCode = keyof typeof HEALTH_CODES;

/** Reasons that are kept; a cluster of 1,000 nodes may have as many. */
export const HEALTH_REASONS = 50;
/** Characters of one reason's evidence. */
export const HEALTH_EVIDENCE = 1000;

/** Input of the activity that looks. Everything else is loaded by reference. */
export interface HealthInput {
  cluster: string;
  operationId: string;
  specRef: string;
  /** True after a change: what has just been started gets a moment to settle. */
  settle: boolean;
  /** Hosts to look at over SSH, control planes first. */
  hosts: string[];
  /** Hosts that this very operation has taken out of the cluster. */
  gone: string[];
  /** Hosts in quarantine, with the reason. */
  quarantined: { host: string; why: string; since: string }[];
  actor: string;
  actorId?: string | undefined;
  requestId: string;
}

/** Result of that activity. `chainHead` and `commands` tie it to the journal, as in the result of a task. */
export interface HealthResult {
  health: Health;
  commands: number;
  chainHead?: string | undefined;
}
