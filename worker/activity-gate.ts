import type { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { ActivityInboundCallsInterceptor, ActivityInterceptorsFactory } from '@temporalio/worker';
import type { RefusalLog } from '../activities/operations/refusal-log.ts';
import type { ErrorReport } from '../contracts/errors.ts';
import { CONTROL_ACTIVITIES } from '../contracts/messages.ts';
import { claimsOf, proofOf, stamped, stampOf, withoutStamp } from '../contracts/provenance.ts';

/** What the gate asks of the store about the operation that a task says it is of. */
export interface OperationLookup {
  /** It was submitted, and has not ended. */
  isOpen(cluster: string, operation: string): Promise<boolean>;
  /** It was open when this database came to the version whose payloads are sealed for a place. */
  isOlder(cluster: string, operation: string): Promise<boolean>;
}

/** Activities that write what is over: those are repeated after the end. */
const OF_ENDED: readonly string[] = [
  CONTROL_ACTIVITIES.closeOperation,
  CONTROL_ACTIVITIES.projectStatus,
  CONTROL_ACTIVITIES.projectTasks,
  CONTROL_ACTIVITIES.takeCommand,
];

/**
 * The gate of our activities: each runs only for the workflow run that scheduled it, under its own name, with the input
 * that this workflow sealed for it, and while its operation is open. What fails is journaled and not retried.
 */
export function activityGate(options: {
  log: RefusalLog | undefined;
  operations: OperationLookup | undefined;
}): ActivityInterceptorsFactory {
  const { log, operations } = options;
  return ({ info }) => {
    const inbound: ActivityInboundCallsInterceptor = {
      async execute(input, next) {
        const why = await problem(info, input.args, operations);
        if (why !== null) {
          const message = `activity/${info.activityType}`;
          const { workflowId = '', runId = '' } = info.workflowExecution ?? {};
          await log?.refused({ message, why, claims: claimsOf(input.args[0]) }, { workflowId, runId });
          throw refusal(`${message} was refused: ${why}`);
        }
        const result = await next({ ...input, args: input.args.map(withoutStamp) });
        // An object even where there is nothing to say: only what was sealed as a result counts as one.
        const answer = typeof result === 'object' && result !== null ? result : {};
        return stamped(answer, { message: `result/${info.activityType}` });
      },
    };
    return { inbound };
  };
}

async function problem(
  { activityType, workflowExecution }: Context['info'],
  args: readonly unknown[],
  operations: OperationLookup | undefined,
): Promise<string | null> {
  if (!workflowExecution) return 'no workflow has scheduled it';
  const [argument] = args;
  const proof = proofOf(argument);
  if (proof.by === 'none') return `it is ${proof.why}`;
  if (args.length !== 1) return 'it has more than one argument';
  const { workflowId, runId } = workflowExecution;
  const [, cluster, operation] = /^cluster\/([^/]+)\/op\/([^/]+)/.exec(workflowId) ?? [];
  if (proof.by === 'legacy') {
    // Scheduled before an upgrade, run after it.
    const { cluster: named = cluster, operationId = operation } = argument as Record<string, unknown>;
    const isOwn = cluster !== undefined && operation !== undefined && named === cluster && operationId === operation;
    if (!isOwn || !(await operations?.isOlder(cluster, operation))) return 'it was sealed for no place';
  } else {
    const stamp = stampOf(argument);
    if (stamp?.message !== `activity/${activityType}`) return `it was sealed as ${stamp?.message ?? 'something else'}`;
    if (stamp.run !== runId) return 'it is of another run';
  }
  if (OF_ENDED.includes(activityType) || cluster === undefined || operation === undefined || !operations) return null;
  return (await operations.isOpen(cluster, operation)) ? null : `operation ${operation} is not open`;
}

function refusal(message: string): ApplicationFailure {
  const report: ErrorReport = { code: 'COMMAND_REFUSED', message };
  return ApplicationFailure.create({ type: report.code, message, nonRetryable: true, details: [report] });
}
