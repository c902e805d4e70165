import type { WorkflowHistory } from '../audit/make-bundle.ts';
import type {
  ActionResult,
  AmendInput,
  CancelInput,
  ClusterState,
  DecideInput,
  PauseInput,
  ResumeInput,
  SubmitOperation,
  SubmitResult,
} from '../contracts/actions.ts';

/** One event of an operation's workflow, as far as people and the audit need it. */
export interface WorkflowEvent {
  id: string;
  time: string;
  /** Such as `ActivityTaskScheduled`. */
  type: string;
  phase?: string | undefined;
  host?: string | undefined;
  activityId?: string | undefined;
  attempt?: number | undefined;
  summary?: string | undefined;
  error?: string | undefined;
}

/** An operation's history, read once. */
export interface OperationHistory {
  events: WorkflowEvent[];
}

/**
 * What the API asks of Temporal. Every method throws KubewrightError: the code that the workflow refused with, NOT_FOUND
 * when there is no such workflow, TEMPORAL_UNAVAILABLE when no answer came in time (repeating the same request is safe).
 */
export interface TemporalGateway {
  /** `state`: what a new entity begins with; one that is there keeps its own. */
  submit(cluster: string, request: SubmitOperation, state?: ClusterState): Promise<SubmitResult>;
  /** To a running operation. CONFLICT when it has ended. */
  decide(cluster: string, operationId: string, input: DecideInput): Promise<ActionResult>;
  amend(cluster: string, operationId: string, input: AmendInput): Promise<ActionResult>;
  pause(cluster: string, operationId: string, input: PauseInput): Promise<ActionResult>;
  resume(cluster: string, operationId: string, input: ResumeInput): Promise<ActionResult>;
  /** To the entity: the running operation, or one that waits. */
  cancel(cluster: string, input: CancelInput): Promise<ActionResult>;
  /**
   * Which of the cluster's operations Temporal still runs, or holds in the queue of the entity. Null: it cannot say now
   * (no worker answers). Throws TEMPORAL_UNAVAILABLE, also when the namespace is missing.
   */
  liveOperations(cluster: string, requested: readonly string[]): Promise<ReadonlySet<string> | null>;
  /** Operations that Temporal runs, at most 1,000; a list that may be some seconds old. Throws TEMPORAL_UNAVAILABLE. */
  runningOperations(): Promise<{ cluster: string; operationId: string }[]>;
  /** Request the cancellation of an operation's workflow itself, for one that our store does not know. */
  cancelWorkflow(cluster: string, operationId: string): Promise<void>;
  history(cluster: string, operationId: string): Promise<OperationHistory>;
  /** Of an operation that is over: its workflow's history and those of its parts. CONFLICT while one still runs. */
  histories(cluster: string, operationId: string): AsyncIterable<WorkflowHistory>;
  ping(): Promise<void>;
}
