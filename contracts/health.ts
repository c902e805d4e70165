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
  NODE_MISSING: entry('A host of the spec is not a node of the cluster', 'Run a build; it registers the node again.'),
  DISK_PRESSURE: entry('The kubelet of a node evicts pods because of low disk space', FREE_SPACE),
  MEMORY_PRESSURE: entry(
    'The kubelet of a node evicts pods because of low memory',
    'Stop or move the process that uses the memory, or lower `evictionHard` (memory.available) of the kubelet.',
  ),
  PID_PRESSURE: entry(
    'A node has too few free process ids',
    'Find the process that creates many others; `kernel.pid_max` is the limit of the node.',
  ),
  NETWORK_UNAVAILABLE: entry(
    'The pod network of a node is not set up',
    'Where you bring the network (phase external-network): install it, then run a build. Otherwise read the journal of the unit of the pod network on the node; a build starts it again.',
  ),
  NODE_UNSCHEDULABLE: entry(
    'A node is cordoned: no new pods are scheduled on it',
    'Run `kubectl uncordon NODE` when the work on it is done.',
  ),
  NODE_TAINTED: entry(
    'A taint outside the spec keeps pods away from a node',
    'Remove it with kubectl taint, or add it to `taints` of the host.',
  ),
  WORKLOAD_MISSING: entry(
    'A workload of Kubewright is missing in the cluster',
    'Run a build; it applies the manifests again.',
  ),
  WORKLOAD_UNAVAILABLE: entry(
    'A workload of Kubewright has fewer ready pods than desired',
    'The evidence has the reason of each pod that is not ready: the end of its newest message.',
  ),
  API_SERVER_NOT_READY: entry(
    'The API server of a control plane is not ready',
    'Read the journal of kube-apiserver on that host; a build starts a unit that has stopped.',
  ),
  BALANCER_SKIPS_SERVER: entry(
    'A load balancer sends no connections to an API server that is ready',
    'Check that the balancer reaches port 6443 of that host, and read the journal of haproxy, or of kubewright-balancer-health, on the balancer.',
  ),
  VIRTUAL_ADDRESS_LOST: entry(
    'No load balancer holds the virtual address: clients do not reach the API servers by it',
    'Read the journal of keepalived on the balancers; each gives the address away while its balancer reaches no API server.',
  ),
  VIRTUAL_ADDRESS_TWICE: entry(
    'More than one load balancer holds the virtual address',
    'The balancers do not receive the advertisements of each other: let VRRP (IP protocol 112) pass between them.',
  ),
  TUNNEL_MISSING: entry(
    'A node has no tunnel of the pod network to another node',
    'Read the journal of the unit of the pod network on that node; with openvswitch: `journalctl -u kubewright-openvswitch`, `ovs-vsctl show`.',
  ),
  API_SERVICE_UNAVAILABLE: entry(
    'The metrics API is not available: kubectl top and autoscalers fail',
    'Check the pods of metrics-server, and the network from control planes to pods.',
  ),
  LEADER_LOST: entry(
    'No controller manager, or no scheduler, has renewed its lease',
    'Read the journals of kube-controller-manager and kube-scheduler on the control planes.',
  ),
  ETCD_QUORUM_LOST: entry(
    'etcd has lost its majority: nothing in the cluster can be read or written',
    'The evidence has what is left on each host. Bring back hosts until more than half of the members run; if their data is gone for good, follow "Majority lost" in docs/etcd.md.',
  ),
  ETCD_UNHEALTHY: entry(
    'An etcd member does not answer, or cannot reach a majority',
    'Read the journal of etcd on that host; GET the cluster for its state, and replace the host if the machine is lost. An external etcd is in the hands of those who run it.',
  ),
  ETCD_ALARM: entry(
    'etcd has raised an alarm; with NOSPACE it refuses all writes',
    'NOSPACE: compact and defragment, then run `etcdctl alarm disarm`. CORRUPT: replace the member that the reason names.',
  ),
  ETCD_SPACE: entry(
    'The database of an etcd member is near its quota, or its disk is nearly full',
    'Defragment when much of the database is unused. Otherwise raise `spec.phases.etcd.quotaBytes`, or free disk space.',
  ),
  DISK_LOW: entry('A file system of a node has less free space than the kubelet requires: it evicts pods', FREE_SPACE),
  IMAGE_GC: entry(
    'The file system of images is above the threshold of the kubelet: it deletes unused images',
    'Free space, or raise `imageGCHighThresholdPercent` in `spec.phases.nodes.kubelet.config`.',
  ),
  MEMORY_LOW: entry(
    'A node has less free memory than the kubelet requires: it evicts pods',
    'Stop or move the process that uses the memory, or lower `evictionHard` (memory.available) of the kubelet.',
  ),
  CERTIFICATE_EXPIRED: entry(
    'A certificate on a host has expired',
    'Run a build; it installs a new one. For the certificate of an authority see docs/operations.md.',
  ),
  CERTIFICATE_EXPIRING: entry(
    'A certificate on a host expires soon',
    'Run a build; it renews certificates with less than a fifth of their lifetime left.',
  ),
  TIME_UNSYNCHRONIZED: entry(
    'The clock of a host follows none of its time servers',
    'Check the time servers, and that NTP (UDP port 123) reaches them; a build verifies the daemon again.',
  ),
  TIME_OFFSET: entry(
    'The clock of a host is too far from the server that it follows, or from another host',
    'The reason has both. The daemon brings the clock nearer in small steps; `maxOffsetMs` of the time phase is what is allowed.',
  ),
  UNIT_NOT_RUNNING: entry(
    'A unit of Kubewright does not run on a host',
    'Read the journal of the unit; a build starts it again.',
  ),
  HOST_QUARANTINED: entry(
    'A host is in quarantine',
    'Repair the machine, then POST /clusters/{name}/operations {"kind":"heal"}, or replace the host.',
  ),
  NOT_LOOKED_AT: entry(
    'The health could not be checked',
    'The evidence has the error; the next build or check repeats the health check.',
  ),
  HOST_UNREACHABLE: entry(
    'A host did not answer the health check',
    'Check that the machine is up and that sshd runs. A build reports the exact cause.',
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
