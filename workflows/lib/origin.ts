import { batchWorkflowId, clusterWorkflowId, operationWorkflowId, WORKFLOWS } from '../../contracts/messages.ts';
import { COMMAND_LIFE_MS, proofOf, stampOf } from '../../contracts/provenance.ts';

/** What a workflow knows of its own start, as far as it says who started it. */
export interface StartedBy {
  workflowType: string;
  workflowId: string;
  parent?: { workflowId: string } | undefined;
  continuedFromExecutionRunId?: string | undefined;
  cronSchedule?: string | undefined;
  attempt: number;
  /** When it was started. */
  startTime: Date;
}

/** Why what a workflow was started with is not to be acted on, in words; null when it is ours. */
export function startProblem(info: StartedBy, args: readonly unknown[]): string | null {
  const [input] = args;
  const proof = proofOf(input);
  const own = sealedProblem(args, `start/${info.workflowType}`);
  if (own !== null) return own;
  // Repeated by the server with the same input: none of ours are, and it would pass for a continuation.
  if (info.cronSchedule !== undefined || info.attempt > 1) return 'the server repeats it';
  const given = input as Record<string, unknown>;
  if (info.workflowType === WORKFLOWS.cluster) {
    if (info.workflowId !== clusterWorkflowId(String(given['cluster']))) return 'its workflow id is not of its cluster';
    if (given['state'] === undefined) return null;
    // What an entity begins with: of the run before it, or what the store knows, from an API just now.
    if (proof.by === 'api') return ageProblem(proof.at, info.startTime.getTime());
    return info.continuedFromExecutionRunId === undefined ? 'its state is of another run' : null;
  }
  if (proof.by !== 'worker') return 'only workflows start it';
  const { id, parent } = familyOf(info, given);
  if (info.workflowId !== id) return 'its workflow id is not of its input';
  return info.parent?.workflowId === parent ? null : 'the workflow that owns it did not start it';
}

/** The workflow id that the input belongs to, and that of the workflow which starts it. */
function familyOf({ workflowType }: StartedBy, input: Record<string, unknown>): { id: string; parent: string } {
  if (workflowType === WORKFLOWS.operation) {
    const cluster = String(input['cluster']);
    return { id: operationWorkflowId(cluster, String(input['operationId'])), parent: clusterWorkflowId(cluster) };
  }
  const facts = (input['facts'] ?? {}) as Record<string, unknown>;
  const [cluster, operation] = [String(facts['cluster']), String(facts['operationId'])];
  return {
    id: batchWorkflowId(cluster, operation, Number(input['batch']), Number(input['run'])),
    parent: operationWorkflowId(cluster, operation),
  };
}

/** Why a command is not to be taken: only an API of ours gives commands, each for one workflow, one name and some minutes. */
export function commandProblem(name: string, args: readonly unknown[], nowMs: number): string | null {
  const own = sealedProblem(args, `update/${name}`);
  if (own !== null) return own;
  const proof = proofOf(args[0]);
  if (proof.by !== 'api') return 'no API of this installation has signed it';
  return ageProblem(proof.at, nowMs);
}

function ageProblem(signedMs: number, nowMs: number): string | null {
  if (Math.abs(nowMs - signedMs) <= COMMAND_LIFE_MS) return null;
  return `it was signed at ${new Date(signedMs).toISOString()}, more than ${COMMAND_LIFE_MS / 60_000} minutes away`;
}

/** Why a signal of one of our workflows, or the result of a child or an activity, is not to be believed. */
export function workerProblem(message: string, args: readonly unknown[]): string | null {
  const own = sealedProblem(args, message);
  if (own !== null) return own;
  return proofOf(args[0]).by === 'worker' ? null : 'no worker of this installation has sealed it';
}

function sealedProblem(args: readonly unknown[], message: string): string | null {
  const proof = proofOf(args[0]);
  if (proof.by === 'none') return `it is ${proof.why}`;
  if (proof.by === 'legacy') return 'it was sealed for no place';
  if (args.length > 1) return 'it has more than one argument';
  const stamp = stampOf(args[0]);
  return stamp?.message === message ? null : `it was sealed as ${stamp?.message ?? 'something else'}`;
}
