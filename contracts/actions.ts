import type {
  Actor,
  Decision,
  OperationInput,
  OperationRequest,
  OperationState,
  OperationStatus,
  QuarantinedHost,
  TaskStatus,
} from './operation.ts';

/**
 * Arguments, answers and states of the messages between API, `cluster` entity and `operation`. Types only. The entity
 * takes submitOperation and cancelOperation; the operation takes pause, resume, decide and amend, because only it can
 * refuse them for what it knows.
 */

/** Argument of the `submitOperation` update. */
export interface SubmitOperation extends OperationRequest {
  /** What to do while another operation runs. `refuse` answers OPERATION_RUNNING. Default: queue. */
  ifBusy?: 'queue' | 'refuse' | undefined;
}

/** Answer of `submitOperation`, as soon as the operation is enqueued. */
export interface SubmitResult {
  operationId: string;
  /** False when the request id was known already: the operation of the first request is meant. */
  created: boolean;
}

/** Who asks, and under which request id. */
export interface ActionBase {
  actor: Actor;
  requestId: string;
  reason?: string | undefined;
}

/** A decision made on a view: refused when the operation has moved on since. */
export interface OnVersion {
  /** `version` of the status that was looked at. */
  expectedVersion?: number | undefined;
}

/** Argument of the `decide` update: many hosts at once, so that 1,000 blocked hosts do not cost 1,000 updates. */
export interface DecideInput extends OnVersion {
  items: Decision[];
}

/** Argument of the `amend` update: a paused or blocked operation goes on with a corrected spec. */
export interface AmendInput extends ActionBase, OnVersion {
  /** The host that was corrected. */
  host: string;
  specRef: string;
  baseSpecRef: string;
}

/** Argument of the `pause` update. */
export interface PauseInput extends ActionBase, OnVersion {
  /** `drain`: running tasks end by themselves. `interrupt`: they are cancelled at their present command and run again. */
  mode: 'drain' | 'interrupt';
}

/** Argument of the `resume` update. */
export type ResumeInput = ActionBase & OnVersion;

/** Argument of the `cancelOperation` update. Without an operation id the running one is meant. */
export interface CancelInput extends ActionBase {
  operationId?: string | undefined;
}

/** Answer of pause, resume, decide, amend and cancelOperation: the operation that took it. */
export interface ActionResult {
  operationId: string;
}

/** Signal `operationEvent`, operation to entity: its state, its blocked hosts or the quarantine changed. */
export interface OperationEvent {
  operationId: string;
  state: OperationState;
  blockedHosts: string[];
  quarantine: QuarantinedHost[];
  /** Grows with every event of the operation: one that is sent again later says nothing new. */
  n?: number | undefined;
}

/** One operation in the entity's status. */
export type OperationSummary = Pick<
  OperationStatus,
  'operationId' | 'kind' | 'mode' | 'state' | 'actor' | 'specRef' | 'startedAt' | 'endedAt' | 'blockedHosts'
> & { queuedAt: string };

/** Answer of the entity's `status` query. */
export interface ClusterStatus {
  cluster: string;
  running: OperationSummary | null;
  queued: OperationSummary[];
  /** Ended operations, newest first, at most LIMITS.operationsInState. */
  recent: OperationSummary[];
  quarantine: QuarantinedHost[];
}

/** One request id that the entity remembers. */
export interface KnownRequest {
  requestId: string;
  /** requestDigest() of its first use. */
  digest: string;
  operationId: string;
}

/** What the entity carries across continue-as-new. */
export interface ClusterState {
  queue: OperationInput[];
  recent: OperationSummary[];
  requests: KnownRequest[];
  quarantine?: QuarantinedHost[] | undefined;
}

/** Input of the `cluster` workflow. The API starts it with the cluster's name alone. */
export interface ClusterInput {
  cluster: string;
  state?: ClusterState | undefined;
}

/** Input of the control activity `projectTasks`: tasks that changed. */
export interface TasksInput {
  cluster: string;
  operationId: string;
  tasks: TaskStatus[];
}

/** Input of the control activity `takeCommand`: each command is taken once, whatever becomes of its entity. */
export interface TakeCommand {
  cluster: string;
  /** Name of the update. */
  command: string;
  requestId: string;
  /** The update of the run that takes it. */
  owner: string;
  /** The operation that it is to start; '' when it starts none. */
  operationId: string;
}

/** Its result: who took it first, and which operation that one started. */
export interface TakenCommand {
  owner: string;
  operationId: string;
}

/** Input of the control activity `forgetHost`: another machine takes the host's place. */
export interface HostRef {
  cluster: string;
  host: string;
}

/** Input of the control activity `closeOperation`. */
export interface CloseInput {
  cluster: string;
  operationId: string;
  status: OperationStatus;
}

/** Its result: the head of the operation's journal with its last record, `<n>:<sha256>`. */
export interface CloseResult {
  chainHead?: string | undefined;
}
