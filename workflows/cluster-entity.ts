import {
  allHandlersFinished,
  condition,
  currentUpdateInfo,
  getExternalWorkflowHandle,
  ParentClosePolicy,
  startChild,
  TerminatedFailure,
  workflowInfo,
} from '@temporalio/workflow';
import type {
  ActionResult,
  CancelInput,
  ClusterInput,
  ClusterState,
  ClusterStatus,
  OperationEvent,
  OperationSummary,
  SubmitOperation,
  SubmitResult,
} from '../contracts/actions.ts';
import { traitsOf } from '../contracts/earlier-kinds.ts';
import type { ErrorReport } from '../contracts/errors.ts';
import { LIMITS } from '../contracts/limits.ts';
import { operationWorkflowId, requestDigest, UPDATES } from '../contracts/messages.ts';
import type {
  OperationInput,
  OperationRequest,
  OperationState,
  OperationStatus,
  QuarantinedHost,
} from '../contracts/operation.ts';
import { closeOperation, takeCommand, writeStatus } from './control.ts';
import { isStrict, refuse } from './gate.ts';
import { newOperationId } from './lib/operation-id.ts';
import { RequestMemory } from './lib/requests.ts';
import { attributes, cancel, refusal } from './messages.ts';
import type { operation } from './operation.ts';

/** The entity's state and rules; cluster.ts binds it to Temporal. `check*` are validators: synchronous, no change. */
export class ClusterEntity {
  private readonly cluster: string;
  private readonly queue: OperationInput[];
  private readonly recent: OperationSummary[];
  private readonly requests: RequestMemory;
  private quarantine: QuarantinedHost[];
  private running: OperationSummary | null = null;
  /** The running operation's workflow exists: it can be signalled. */
  private started = false;
  /** The newest event of the running operation. */
  private lastReport = 0;
  /** Requests between acceptance and the queue. */
  private entering = 0;

  constructor({ cluster, state }: ClusterInput) {
    this.cluster = cluster;
    this.queue = state?.queue ?? [];
    this.recent = state?.recent ?? [];
    this.requests = new RequestMemory(state?.requests);
    this.quarantine = state?.quarantine ?? [];
  }

  /** One operation after the other, until the history is long and nothing runs; then what to carry on with. */
  async run(): Promise<ClusterState> {
    for (;;) {
      await condition(() => this.queue.length > 0 || workflowInfo().continueAsNewSuggested);
      if (workflowInfo().continueAsNewSuggested) {
        await condition(allHandlersFinished);
        const { queue, recent, quarantine } = this;
        return { queue, recent, requests: this.requests.all, quarantine };
      }
      await this.runOne(this.queue.shift()!);
    }
  }

  status(): ClusterStatus {
    return {
      cluster: this.cluster,
      running: this.running,
      queued: this.queue.map((input) => summaryOf(input, 'queued')),
      recent: this.recent,
      quarantine: this.quarantine,
    };
  }

  checkSubmit(request: SubmitOperation): void {
    const known = this.requests.find(request.requestId);
    if (known) {
      if (known.digest === requestDigest(request)) return;
      throw refusal('IDEMPOTENCY_KEY_REUSED', `request id ${request.requestId} belongs to another request`);
    }
    this.checkQuarantine(request);
    const waiting = this.queue.length + this.entering;
    if (request.ifBusy === 'refuse' && (this.running !== null || waiting > 0)) {
      throw refusal('OPERATION_RUNNING', `cluster ${this.cluster} is busy with operation ${this.busyWith()}`);
    }
    if (waiting >= LIMITS.queuedOperations) {
      throw refusal('CONFLICT', `${waiting} operations of cluster ${this.cluster} are waiting already`);
    }
  }

  /** Enqueue a request; the same request id is the same operation. The store knows the operation on return. */
  async submit(submitted: SubmitOperation): Promise<SubmitResult> {
    const { ifBusy: _ifBusy, ...request } = submitted;
    const known = this.requests.find(request.requestId);
    if (known) return { operationId: known.operationId, created: false };
    let operationId = newOperationId(Date.now(), Math.random, this.requests.lastOperationId);
    const remembered = { requestId: request.requestId, digest: requestDigest(request), operationId };
    this.requests.remember(remembered);
    if (isStrict()) {
      const taken = await this.accept(UPDATES.submitOperation, request.requestId, operationId);
      operationId = taken.operationId;
      remembered.operationId = operationId;
      if (!taken.isOurs) return { operationId, created: false };
    }
    const input: OperationInput = { ...request, cluster: this.cluster, operationId, queuedAt: now() };
    this.entering += 1;
    await writeStatus(statusOf(input, 'queued'));
    this.entering -= 1;
    this.queue.push(input);
    return { operationId, created: true };
  }

  checkCancel({ operationId }: CancelInput): void {
    if (operationId === undefined) {
      if (this.running) return;
      throw refusal('CONFLICT', `no operation of cluster ${this.cluster} is running`);
    }
    if (this.running?.operationId === operationId) return;
    if (this.queue.some((input) => input.operationId === operationId)) return;
    throw refusal('CONFLICT', `operation ${operationId} is neither running nor waiting`);
  }

  /** Cancel the running operation, or take a waiting one out of the queue. */
  async cancel(request: CancelInput): Promise<ActionResult> {
    if (isStrict()) {
      const taken = await this.accept(UPDATES.cancelOperation, request.requestId, '');
      if (!taken.isOurs) throw refuse(`update/${UPDATES.cancelOperation}`, request, 'it was used before');
    }
    const index = this.queue.findIndex((input) => input.operationId === request.operationId);
    if (index < 0) return await this.cancelRunning(request);
    const [input] = this.queue.splice(index, 1);
    this.remember({ ...summaryOf(input!, 'cancelled'), endedAt: now() });
    await writeStatus({ ...statusOf(input!, 'cancelled'), endedAt: now() });
    return { operationId: input!.operationId };
  }

  /** Take a command in the name of this update. Not ours: an earlier run took it, and it is here once more. */
  private async accept(command: string, requestId: string, operationId: string) {
    const owner = `${workflowInfo().runId}/${currentUpdateInfo()?.id ?? ''}`;
    const taken = await takeCommand({ cluster: this.cluster, command, requestId, owner, operationId });
    return { operationId: taken.operationId, isOurs: taken.owner === owner };
  }

  /** Send a signal to the running operation. Returns when the server has accepted it. */
  private async cancelRunning(request: CancelInput): Promise<ActionResult> {
    await condition(() => this.started || this.running === null);
    const operationId = this.running?.operationId;
    if (operationId === undefined) throw refusal('CONFLICT', 'the operation has just ended');
    try {
      await getExternalWorkflowHandle(operationWorkflowId(this.cluster, operationId)).signal(cancel, request);
    } catch {
      throw refusal('CONFLICT', `operation ${operationId} has just ended`);
    }
    return { operationId };
  }

  /** The running operation reports its state. */
  recordEvent(event: OperationEvent): void {
    if (this.running?.operationId !== event.operationId) return;
    if (event.n !== undefined && event.n <= this.lastReport) return;
    this.lastReport = event.n ?? this.lastReport;
    this.running.state = event.state;
    this.running.blockedHosts = event.blockedHosts;
    this.recordQuarantine(this.running.mode, event.quarantine);
  }

  /** A check leaves hosts out for itself only. */
  private recordQuarantine(mode: OperationSummary['mode'], quarantine: QuarantinedHost[]): void {
    if (mode === 'apply') this.quarantine = quarantine;
  }

  /** An operation on hosts in quarantine needs one, and no other host. */
  private checkQuarantine(request: OperationRequest): void {
    if (traitsOf(request).targets !== 'quarantined') return;
    const { hosts } = request;
    const unknownHost = hosts?.find((host) => !this.quarantine.some((each) => each.host === host));
    const what = unknownHost === undefined ? 'no host' : `host ${unknownHost}`;
    if (unknownHost === undefined && this.quarantine.length > 0) return;
    const message = `${what} of cluster ${this.cluster} is ${unknownHost === undefined ? '' : 'not '}in quarantine`;
    throw refusal('HOST_NOT_QUARANTINED', message);
  }

  private busyWith(): string {
    return this.running?.operationId ?? this.queue[0]?.operationId ?? 'that is being accepted';
  }

  private async runOne(input: OperationInput): Promise<void> {
    const summary: OperationSummary = { ...summaryOf(input, 'planning'), startedAt: now() };
    this.running = summary;
    this.lastReport = 0;
    try {
      const child = await startChild<typeof operation>('operation', {
        workflowId: operationWorkflowId(this.cluster, input.operationId),
        args: [{ ...input, quarantine: this.quarantine }],
        // It goes on when the entity is continued as new, terminated, or broken.
        parentClosePolicy: ParentClosePolicy.ABANDON,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        staticSummary: `${input.kind}${input.mode === 'check' ? ' (check)' : ''} of ${this.cluster} by ${input.actor.name}`,
        typedSearchAttributes: [
          { key: attributes.clusterId, value: this.cluster },
          { key: attributes.opId, value: input.operationId },
          { key: attributes.opType, value: input.kind },
          { key: attributes.state, value: 'planning' },
        ],
      });
      this.started = true;
      const result = await child.result();
      summary.state = result.state;
      this.recordQuarantine(input.mode, result.quarantine);
    } catch (error) {
      // Terminated or broken: it could not write its own end. The cluster is free again either way.
      summary.state = 'failed';
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const words = cause instanceof Error ? cause.message : String(cause);
      const report: ErrorReport = {
        code: cause instanceof TerminatedFailure ? 'ENDED_OUTSIDE' : 'INTERNAL',
        message: `the operation's workflow did not end by itself: ${words}`,
      };
      const { cluster, operationId } = input;
      const { startedAt } = summary;
      const status = { ...statusOf(input, 'failed'), startedAt, endedAt: now(), error: report };
      await closeOperation({ cluster, operationId, status });
    } finally {
      this.started = false;
      this.running = null;
    }
    this.remember({ ...summary, blockedHosts: [], endedAt: now() });
  }

  private remember(summary: OperationSummary): void {
    this.recent.unshift(summary);
    this.recent.splice(LIMITS.operationsInState);
  }
}

function summaryOf(input: OperationInput, state: OperationState): OperationSummary {
  const { operationId, kind, mode, actor, specRef, queuedAt } = input;
  return { operationId, kind, mode, state, actor: actor.name, specRef, queuedAt: queuedAt ?? now(), blockedHosts: [] };
}

function statusOf(input: OperationInput, state: OperationState): OperationStatus {
  const { operationId, cluster, kind, mode, actor, specRef, queuedAt, phases, hosts } = input;
  return {
    operationId,
    cluster,
    kind,
    mode,
    state,
    actor: actor.name,
    ...(actor.id === undefined ? {} : { actorId: actor.id }),
    specRef,
    queuedAt,
    ...(phases ? { phases } : {}),
    ...(hosts ? { hosts } : {}),
    tasks: [],
    blockedHosts: [],
    quarantinedHosts: [],
  };
}

const now = (): string => new Date().toISOString();
