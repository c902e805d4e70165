import type { TaskStatus } from './operation.ts';
import type { OperationEffect } from './operation-traits.ts';
import type { Plan } from './plan.ts';

/** What an operation and its phase batches say to each other. Types only. */

/** Input of every task of a run, beside its phase and host. */
export interface RunFacts {
  cluster: string;
  operationId: string;
  kind: string;
  effect: OperationEffect;
  /** Name of who asked for the operation. */
  actor: string;
  /** Id of the token of that name. */
  actorId?: string | undefined;
  requestId: string;
}

/** The state that a batch is to be in. Every message brings all of it, so the last one counts. */
export interface BatchOrders {
  /** Tasks that the batch may have in flight. */
  slots: number;
  /** Needs on the rest of the plan that are met: `<phase>/<on>`. */
  gates: string[];
  paused: boolean;
  /** Start nothing any more, and end. */
  stopped: boolean;
  specRef: string;
}

/** What is done once. */
export type BatchAction =
  | { do: 'interrupt' }
  /** Keys of tasks that are blocked or done. */
  | { do: 'retry'; tasks: string[] }
  | { do: 'leaveOut'; host: string }
  /** Every task of the host again, none before `prepared`. */
  | { do: 'restart'; host: string }
  | { do: 'prepared'; host: string };

/** Signal `batchCommand`, operation to batch. */
export interface BatchCommand extends BatchOrders {
  /** From 1, one more with each message. */
  seq: number;
  actions: BatchAction[];
}

/** Signal `batchReport`, batch to operation; also the batch's result. Coalesced: never one per task. */
export interface BatchReport {
  batch: number;
  /** Number of the batch's run that sends the report. */
  run: number;
  /** The last message that it obeys. */
  seq: number;
  /** Slots that it still claims: fewer than it was given when it has no use for them. */
  slots: number;
  /** Tasks in flight, and tasks that could start were there slots. */
  running: number;
  demand: number;
  /** Nothing runs and nothing will start before the next message. */
  quiet: boolean;
  /** Places, in the batch's plan, of tasks that are done since the last report. */
  done: number[];
  /** Other tasks that came to rest or were released since the last report. */
  tasks: TaskStatus[];
  /** Changes that its tasks made together. */
  changeCount: number;
  /** From 1, one more with each report of a run: one that is sent again later says nothing new. */
  n?: number | undefined;
}

/** Input of the `phaseBatch` workflow. */
export interface BatchInput {
  facts: RunFacts;
  batch: number;
  run: number;
  /** The slice of the operation's plan. Needs on the rest of the plan are gates. */
  plan: Plan;
  orders: BatchOrders;
  /** Places of tasks that an earlier run of the batch has done. */
  done: number[];
  /** Tasks that an earlier run left blocked or skipped. */
  known: TaskStatus[];
}
