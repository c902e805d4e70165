import { defineSearchAttributeKey } from '@temporalio/common';
import { ApplicationFailure, defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type {
  ActionResult,
  AmendInput,
  CancelInput,
  ClusterStatus,
  DecideInput,
  OperationEvent,
  PauseInput,
  ResumeInput,
  SubmitOperation,
  SubmitResult,
} from '../contracts/actions.ts';
import type { BatchCommand, BatchReport } from '../contracts/batch.ts';
import type { ErrorCode, ErrorReport } from '../contracts/errors.ts';
import { QUERIES, SEARCH_ATTRIBUTES, SIGNALS, UPDATES } from '../contracts/messages.ts';
import type { OperationStatus } from '../contracts/operation.ts';

export const submitOperation = defineUpdate<SubmitResult, [SubmitOperation]>(UPDATES.submitOperation);
export const decide = defineUpdate<ActionResult, [DecideInput]>(UPDATES.decide);
export const pause = defineUpdate<ActionResult, [PauseInput]>(UPDATES.pause);
export const resume = defineUpdate<ActionResult, [ResumeInput]>(UPDATES.resume);
export const amend = defineUpdate<ActionResult, [AmendInput]>(UPDATES.amend);
export const cancelOperation = defineUpdate<ActionResult, [CancelInput]>(UPDATES.cancelOperation);
export const operationEvent = defineSignal<[OperationEvent]>(SIGNALS.operationEvent);
export const cancel = defineSignal<[CancelInput]>(SIGNALS.cancel);
export const batchCommand = defineSignal<[BatchCommand]>(SIGNALS.batchCommand);
export const batchReport = defineSignal<[BatchReport]>(SIGNALS.batchReport);
export const clusterStatus = defineQuery<ClusterStatus>(QUERIES.status);
export const operationStatus = defineQuery<OperationStatus>(QUERIES.status);

export const attributes = {
  clusterId: defineSearchAttributeKey('ClusterId', SEARCH_ATTRIBUTES.ClusterId),
  opId: defineSearchAttributeKey('OpId', SEARCH_ATTRIBUTES.OpId),
  opType: defineSearchAttributeKey('OpType', SEARCH_ATTRIBUTES.OpType),
  state: defineSearchAttributeKey('State', SEARCH_ATTRIBUTES.State),
  needsDecision: defineSearchAttributeKey('NeedsDecision', SEARCH_ATTRIBUTES.NeedsDecision),
  paused: defineSearchAttributeKey('Paused', SEARCH_ATTRIBUTES.Paused),
  blockedHosts: defineSearchAttributeKey('BlockedHosts', SEARCH_ATTRIBUTES.BlockedHosts),
} as const;

/** Refuse a message: the caller gets the code of our catalogue as the failure's type and a report in its details. */
export function refusal(code: ErrorCode, message: string): ApplicationFailure {
  const report: ErrorReport = { code, message };
  return ApplicationFailure.create({ type: code, message, nonRetryable: true, details: [report] });
}
