import {
  ActivityFailure,
  ApplicationFailure,
  type StartChildWorkflowExecutionInput,
  type WorkflowExecuteInput,
  type WorkflowInboundCallsInterceptor,
  type WorkflowInterceptors,
  type WorkflowOutboundCallsInterceptor,
  workflowInfo,
} from '@temporalio/workflow';
import { UPDATES } from '../contracts/messages.ts';
import { proofOf, type Stamp, stamped, withoutStamp } from '../contracts/provenance.ts';
import { isStrict, refuse } from './gate.ts';
import { commandProblem, startProblem, workerProblem } from './lib/origin.ts';

/**
 * The gate of our workflows: nothing that reaches one is acted on unless an API of ours signed it (commands) or a worker
 * of ours sealed it for this place under this name (starts, signals, results). What fails is journaled. What leaves gets
 * its stamp here. Part of the workflow bundle.
 */
export const interceptors = (): WorkflowInterceptors => ({ inbound: [inbound()], outbound: [outbound()] });

function inbound(): WorkflowInboundCallsInterceptor {
  /** Commands that this run has taken: none is taken twice, under whatever update id. */
  const taken = new Set<string>();
  return {
    // What is replayed from before goes through without a wait of ours: the order of its commands stays.
    execute: (input, next) => (isStrict() ? started(input, next) : next(input)),
    handleSignal(input, next) {
      const message = `signal/${input.signalName}`;
      const why = workerProblem(message, input.args);
      if (why === null) return next({ ...input, args: input.args.map(withoutStamp) });
      if (!isStrict()) return next(input);
      refuse(message, input.args[0], why);
      return Promise.resolve();
    },
    validateUpdate(input, next) {
      const [argument] = input.args;
      const why =
        commandProblem(input.name, input.args, Date.now()) ??
        (taken.has(keyOf(input.name, argument)) ? 'it was used before' : null);
      if (why !== null) throw refuse(`update/${input.name}`, argument, why);
      next({ ...input, args: input.args.map(withoutStamp) });
    },
    handleUpdate(input, next) {
      // Its validator has let it in, now or in the run that is replayed. The entity answers a repeated submission itself:
      // with the operation of the first one.
      if (input.name !== UPDATES.submitOperation) taken.add(keyOf(input.name, input.args[0]));
      return next({ ...input, args: input.args.map(withoutStamp) });
    },
    async handleQuery(input, next) {
      if (input.args.length === 0) return await next(input);
      throw refuse(`query/${input.queryName}`, input.args[0], 'queries have no arguments');
    },
  };
}

async function started(
  input: WorkflowExecuteInput,
  next: (input: WorkflowExecuteInput) => Promise<unknown>,
): Promise<unknown> {
  const info = workflowInfo();
  const why = startProblem(info, input.args);
  if (why !== null) throw refuse(`start/${info.workflowType}`, input.args[0], why);
  const result = await next({ ...input, args: input.args.map(withoutStamp) });
  if (typeof result !== 'object' || result === null) return result;
  return stamped(result, { message: `result/${info.workflowType}` });
}

function outbound(): WorkflowOutboundCallsInterceptor {
  return {
    scheduleActivity: (input, next) => (isStrict() ? viaActivity(input, next) : next(input)),
    scheduleLocalActivity: (input, next) => (isStrict() ? viaActivity(input, next) : next(input)),
    startChildWorkflowExecution: (input, next) => (isStrict() ? viaChild(input, next) : next(input)),
    signalWorkflow: (input, next) =>
      next({ ...input, args: sent(input.args, { message: `signal/${input.signalName}` }) }),
    continueAsNew: (input, next) =>
      next({ ...input, args: sent(input.args, { message: `start/${input.options.workflowType}` }) }),
  };
}

async function viaChild(
  input: StartChildWorkflowExecutionInput,
  next: (input: StartChildWorkflowExecutionInput) => Promise<[Promise<string>, Promise<unknown>]>,
): Promise<[Promise<string>, Promise<unknown>]> {
  const { workflowType, options } = input;
  const args = sent(options.args, { message: `start/${workflowType}` });
  const [begun, completed] = await next({ ...input, options: { ...options, args } });
  const result = completed.then((value) => believed(`result/${workflowType}`, value));
  // Some callers do not await it.
  result.catch(() => undefined);
  return [begun, result];
}

async function viaActivity<Input extends { activityType: string; args: unknown[] }>(
  input: Input,
  next: (input: Input) => Promise<unknown>,
): Promise<unknown> {
  const { activityType } = input;
  const stamp = { message: `activity/${activityType}`, run: workflowInfo().runId };
  let result: unknown;
  try {
    result = await next({ ...input, args: sent(input.args, stamp) });
  } catch (error) {
    throw believedFailure(error, activityType);
  }
  return believed(`result/${activityType}`, result);
}

const sent = (args: readonly unknown[], stamp: Stamp): unknown[] =>
  args.map((arg) => (typeof arg === 'object' && arg !== null ? stamped(arg, stamp) : arg));

/** A result as it was sealed for us. Throws the refusal. */
function believed(message: string, value: unknown): unknown {
  const why = workerProblem(message, [value]);
  if (why !== null) throw refuse(message, value, why);
  return withoutStamp(value);
}

/** The error of an activity of ours, or of the server, as it is; for any other the refusal. */
function believedFailure(error: unknown, activityType: string): unknown {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (!(cause instanceof ApplicationFailure)) return error;
  const proofs = [proofOf(cause), ...(cause.details ?? []).map((detail) => proofOf(detail))];
  if (proofs.every(({ by }) => by === 'worker')) return error;
  return refuse(`failure/${activityType}`, undefined, 'no worker of this installation has sealed it');
}

/** A command by its name and its request. */
function keyOf(name: string, argument: unknown): string {
  const { items, requestId } = argument as { items?: { requestId?: unknown }[]; requestId?: unknown };
  return JSON.stringify([name, requestId ?? items?.[0]?.requestId ?? null]);
}
