import type { ErrorReport } from './errors.ts';
import type { OperationEffect, OperationTraits } from './operation-traits.ts';
import type { Change, QuarantinedHost } from './status.ts';

export type { Change, DecisionRecord, OperationStatus, QuarantinedHost, TaskStatus } from './status.ts';

/**
 * States of an operation. `blocked`: at least one task waits for a decision and nothing else can run. `lost`: Temporal has
 * no workflow for it any more, so it can neither go on nor end by itself.
 */
export const OPERATION_STATES = [
  'queued',
  'planning',
  'running',
  'pausing',
  'paused',
  'blocked',
  'succeeded',
  'failed',
  'cancelled',
  'lost',
] as const;
export type OperationState = (typeof OPERATION_STATES)[number];

/** States of a task. `skipped`: its host is in quarantine, and the operation goes on without it. */
export const TASK_STATES = ['pending', 'running', 'blocked', 'succeeded', 'failed', 'cancelled', 'skipped'] as const;
export type TaskState = (typeof TASK_STATES)[number];

/** The actor behind a request: who a token belongs to. Travels in every update and signal. */
export interface Actor {
  /** Token name, such as `admin`. */
  name: string;
  role: 'viewer' | 'operator' | 'admin';
  /** Id of the token: names are not unique. Absent where no token acts, and in commands of earlier versions. */
  id?: string | undefined;
}

/** What POST asks of the entity. */
export interface OperationRequest {
  /** Name of its kind: a file in activities/operations/kinds/. */
  kind: string;
  /** What the kind says of it, so that workflows know no kinds. Absent: an earlier version asked. */
  traits?: OperationTraits | undefined;
  /** sha256 of the canonical spec in the store. */
  specRef: string;
  mode: 'apply' | 'check';
  actor: Actor;
  requestId: string;
  /** Only these phases or hosts; absent = all. */
  phases?: string[] | undefined;
  hosts?: string[] | undefined;
  /** Fields of the request that only its kind knows. */
  options?: Record<string, unknown> | undefined;
  /** Hosts whose place another machine has taken since: what was known of the old one is forgotten first. */
  replaced?: string[] | undefined;
}

/** Input of the `operation` workflow. */
export interface OperationInput extends OperationRequest {
  cluster: string;
  operationId: string;
  /** ISO time of the request, by the entity's clock. */
  queuedAt?: string | undefined;
  /** Hosts in quarantine when the operation began. Set by the entity. */
  quarantine?: QuarantinedHost[] | undefined;
}

/** What becomes of a host that fails without a person at hand. */
export const HOST_FAILURE_POLICIES = ['wait', 'quarantine', 'abort'] as const;

/** What an admin may leave to operators in a cluster's policy. */
export const OPERATORS_MAY = ['security-options', 'control-planes'] as const;
export type OperatorsMay = (typeof OPERATORS_MAY)[number];

/** Input of a phase activity. Everything else is loaded by reference. */
export interface TaskInput {
  cluster: string;
  operationId: string;
  phase: string;
  host: string;
  mode: 'apply' | 'check';
  specRef: string;
  /** 0 at first; every decision that runs the task again adds one. */
  decision: number;
  /** How often this task was started by now, 1 at first: by a decision, or again after an interruption. */
  round: number;
  /** When the workflow scheduled it, ISO: a later pause is meant for it. */
  scheduledAt?: string | undefined;
  kind: string;
  /** Of the operation. Absent: an earlier version scheduled the task. */
  effect?: OperationEffect | undefined;
  /** Name of who asked for the operation, and under which request id. */
  actor: string;
  /** Id of the token of that name. */
  actorId?: string | undefined;
  requestId: string;
  /** Cluster-wide phases only: hosts in quarantine, which must not be waited for. Absent = none. */
  quarantined?: string[] | undefined;
  /** Change nothing: a host in a window of the plan would be needed for that. The result then says `held`. */
  probe?: true | undefined;
  /**
   * Of a task that changes a host in a window of the plan: hosts that are out, whether it may leave its place to other
   * hosts that are still to be changed (the result then says `held`), and the hosts of a window for one at a time, which all
   * served before.
   */
  window?: { excluded: string[]; yields: boolean; served: string[] } | undefined;
  /** Cluster-wide phases of a heal only: the hosts that it is about. Absent = all. */
  focus?: string[] | undefined;
  /** Hosts that leave the cluster: the task sees the spec without them. Absent = none. */
  without?: string[] | undefined;
}

/** `first`: the host does not serve, so changing it disrupts nothing. `last`: the others depend on it, as on the leader of a quorum. */
export type Turn = 'first' | 'last';

/** Result of a phase activity. Small: output stays in the journal. */
export interface TaskResult {
  /** At most 200; `changeCount` is the true number. */
  changes: Change[];
  changeCount: number;
  /** Units restarted or started. */
  restarts: string[];
  commands: number;
  durationMs: number;
  /** Sum of remote command time, ms. */
  commandMs: number;
  /** Facts for later phases and the UI; small. */
  facts?: Record<string, string | number | boolean> | undefined;
  /** Of a task with `probe`, or one that leaves its place in a window: there is something to change or to verify, and nothing was done. */
  held?: true | undefined;
  /** Of a held task: its host is to be changed before, or behind, the other hosts of its window. Absent = in any order. */
  turn?: Turn | undefined;
  /** The head of the operation's journal behind the last record of this attempt, `<n>:<sha256>`: history anchors it. */
  chainHead?: string | undefined;
}

/** Result of the `operation` workflow. */
export interface OperationResult {
  state: 'succeeded' | 'failed' | 'cancelled';
  changeCount: number;
  /** Hosts of the cluster that are in quarantine now. */
  quarantine: QuarantinedHost[];
  error?: ErrorReport | undefined;
}

/**
 * What can be decided about a blocked host: run its blocked tasks again, go on without it, let another machine take its
 * place, or end the operation.
 */
export const DECISION_ACTIONS = ['retry', 'skip', 'replace', 'abort'] as const;
export type DecisionAction = (typeof DECISION_ACTIONS)[number];

/** What a person, or the cluster's policy, says of a blocked host. */
export interface Decision {
  host: string;
  /** Absent = every blocked task of the host. */
  phase?: string | undefined;
  action: DecisionAction;
  actor: Actor;
  requestId: string;
  reason?: string | undefined;
  /** A corrected spec (address, port, credential, host key, options), stored by the API. */
  specRef?: string | undefined;
  /** The spec that was corrected: a correction of an outdated one would undo what came between. */
  baseSpecRef?: string | undefined;
}
