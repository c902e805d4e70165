import { CancellationScope, condition, setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import type { OperationCommand, OperationEvent } from '../contracts/commands.ts';
import type { ErrorReport } from '../contracts/errors.ts';
import type { Decision, OperationInput, OperationResult, OperationStatus, TaskStatus } from '../contracts/operation.ts';
import type { Plan } from '../contracts/plan.ts';
import { closeOperation, makePlan, writeStatus } from './control.ts';
import { blockedHosts, decidedTasks } from './lib/decisions.ts';
import { type GraphTask, planProblem, taskKey } from './lib/expand.ts';
import { TaskGraph } from './lib/graph.ts';
import { PauseGate } from './lib/pause-gate.ts';
import { operationState, progressMarkdown } from './lib/progress.ts';
import { attributes } from './messages.ts';
import { Projector } from './projector.ts';
import { reportOf, runTaskActivity, type TaskOutcome } from './task-activity.ts';

type Ended = OperationResult['state'];

/** One run of an operation: plan, task graph, decisions, pause. State and rules; operation.ts binds it to Temporal. */
export class OperationRun {
  private readonly input: OperationInput;
  private readonly notify: (event: OperationEvent) => Promise<void>;
  private readonly gate = new PauseGate();
  private readonly projector: Projector;
  private readonly scopes = new Map<string, CancellationScope>();
  private readonly interrupted = new Set<string>();
  private readonly reruns = new Map<string, number>();
  private readonly startedAt: string;
  private planning: CancellationScope | undefined;
  private plan: Plan | undefined;
  private graph: TaskGraph | undefined;
  private tasks: TaskStatus[] = [];
  private byKey = new Map<string, TaskStatus>();
  private specRef: string;
  private changeCount = 0;
  private ending: { as: Exclude<Ended, 'succeeded'>; error?: ErrorReport } | undefined;
  private end: { state: Ended; at: string; error?: ErrorReport } | undefined;
  private told = '';

  /** `notify` tells the entity; it is called only when state or blocked hosts changed. */
  constructor(input: OperationInput, notify: (event: OperationEvent) => Promise<void>) {
    this.input = input;
    this.notify = notify;
    this.specRef = input.specRef;
    this.startedAt = now();
    this.projector = new Projector(
      () => this.publish(),
      () => this.tasks.length,
    );
  }

  /** From plan to the last task. Ends only by success, abort, cancel, or a plan that cannot be made. */
  async execute(): Promise<OperationResult> {
    this.projector.touch();
    await this.resolvePlan();
    this.pump();
    await condition(() => this.end !== undefined);
    await this.projector.settled();
    const { cluster, operationId } = this.input;
    await closeOperation({ cluster, operationId, status: this.status() });
    const { state, error } = this.end!;
    return { state, changeCount: this.changeCount, ...(error ? { error } : {}) };
  }

  /** The present status; the query's answer and what is written to the store. */
  status(): OperationStatus {
    const { cluster, operationId, kind, mode, actor, queuedAt } = this.input;
    return {
      operationId,
      cluster,
      kind,
      mode,
      state: operationState({
        planned: this.graph !== undefined,
        paused: !this.gate.open,
        running: this.graph?.running ?? 0,
        blocked: this.tasks.filter((task) => task.state === 'blocked').length,
        ended: this.end?.state,
        ending: this.ending !== undefined,
      }),
      actor: actor.name,
      specRef: this.specRef,
      queuedAt,
      startedAt: this.startedAt,
      endedAt: this.end?.at,
      tasks: this.tasks,
      blockedHosts: blockedHosts(this.tasks),
      error: this.end?.error,
      pause: this.gate.pause,
    };
  }

  /** A message of the entity. */
  command(command: OperationCommand): void {
    if (this.end) return;
    switch (command.type) {
      case 'pause':
        this.gate.close(command, now());
        if (command.mode === 'interrupt') this.interrupt();
        break;
      case 'resume':
        this.gate.reopen();
        break;
      case 'cancel':
        return this.cancel();
      case 'decide':
        for (const item of command.items) this.decide(item);
        break;
    }
    this.pump();
  }

  /** End as cancelled: running tasks are cancelled at their present command. */
  cancel(): void {
    if (this.end) return;
    this.ending = { as: 'cancelled' };
    this.planning?.cancel();
    for (const scope of this.scopes.values()) scope.cancel();
    this.pump();
  }

  private async resolvePlan(): Promise<void> {
    this.planning = new CancellationScope();
    try {
      const plan = await this.planning.run(() => makePlan(this.input));
      const problem = planProblem(plan);
      if (problem) return this.finish('failed', problem);
      this.plan = plan;
      this.graph = new TaskGraph(plan);
      this.tasks = this.graph.tasks.map(({ phase, host }) => ({
        phase,
        host,
        state: 'pending',
        attempt: 0,
        decision: 0,
      }));
      this.byKey = new Map(this.tasks.map((task) => [taskKey(task.phase, task.host), task]));
    } catch (error) {
      // Cancelled while planning, or the plan cannot be made: either way nothing was done on any host.
      if (this.ending) this.finish(this.ending.as, this.ending.error);
      else this.finish('failed', reportOf(error));
    }
  }

  /** Start what may start, see whether it is over, make the change known. The only way forward. */
  private pump(): void {
    if (this.graph && !this.end) {
      if (!this.ending && this.gate.open) for (const task of this.graph.take()) this.start(task);
      if (this.graph.running === 0) this.concludeIdle(this.graph);
    }
    this.projector.touch();
  }

  private concludeIdle(graph: TaskGraph): void {
    if (graph.finished) return this.finish('succeeded');
    if (this.ending) return this.finish(this.ending.as, this.ending.error);
    const waits = !this.gate.open || this.tasks.some((task) => task.state === 'blocked');
    if (!waits) this.finish('failed', { code: 'INTERNAL', message: 'no task can start, and none is blocked' });
  }

  private start(task: GraphTask): void {
    const plan = this.plan!;
    const status = this.byKey.get(task.key)!;
    status.state = 'running';
    status.attempt += 1;
    status.startedAt = now();
    delete status.endedAt;
    const rerun = this.reruns.get(task.key) ?? 0;
    const scope = new CancellationScope();
    this.scopes.set(task.key, scope);
    const { cluster, operationId } = this.input;
    const outcome = scope.run(() =>
      runTaskActivity(
        plan,
        plan.phases.find((phase) => phase.name === task.phase)!,
        {
          cluster,
          operationId,
          phase: task.phase,
          host: task.host,
          mode: plan.mode,
          specRef: this.specRef,
          decision: status.decision,
        },
        `${task.key}:${status.decision}${rerun === 0 ? '' : `.${rerun}`}`,
      ),
    );
    void outcome.then((how) => this.ended(task, status, how));
  }

  private ended(task: GraphTask, status: TaskStatus, outcome: TaskOutcome): void {
    const graph = this.graph!;
    this.scopes.delete(task.key);
    const wasInterrupted = this.interrupted.delete(task.key);
    status.endedAt = now();
    if (outcome.kind === 'done') {
      graph.done(task.key);
      this.record(status, outcome);
    } else if (outcome.kind === 'cancelled' && this.ending) {
      graph.hold(task.key);
      status.state = 'cancelled';
    } else if (outcome.kind === 'cancelled' && wasInterrupted) {
      graph.release(task.key);
      status.state = 'pending';
      this.reruns.set(task.key, (this.reruns.get(task.key) ?? 0) + 1);
    } else {
      graph.hold(task.key);
      status.state = 'blocked';
      status.error = outcome.kind === 'failed' ? outcome.error : cancelledFromOutside(status);
    }
    this.pump();
  }

  private record(status: TaskStatus, { result }: Extract<TaskOutcome, { kind: 'done' }>): void {
    status.state = 'succeeded';
    status.changeCount = result.changeCount;
    status.restarts = result.restarts.length;
    status.commandMs = result.commandMs;
    delete status.error;
    this.changeCount += result.changeCount;
  }

  private interrupt(): void {
    for (const [key, scope] of this.scopes) {
      this.interrupted.add(key);
      scope.cancel();
    }
  }

  private decide(item: Decision): void {
    const tasks = decidedTasks(item, this.tasks);
    if (tasks.length === 0) return;
    if (item.action === 'abort') {
      const { host, actor } = item;
      this.ending ??= {
        as: 'failed',
        error: { code: 'OPERATION_ABORTED', message: `aborted by ${actor.name} after ${host} was blocked`, host },
      };
      return;
    }
    this.specRef = item.specRef ?? this.specRef;
    for (const task of tasks) {
      task.state = 'pending';
      task.decision += 1;
      delete task.error;
      delete task.endedAt;
      this.graph!.release(taskKey(task.phase, task.host));
    }
  }

  private finish(state: Ended, error?: ErrorReport): void {
    this.end = { state, at: now(), ...(error ? { error } : {}) };
    for (const task of this.tasks) {
      if (task.state === 'pending') task.state = 'cancelled';
      if (task.state === 'blocked') task.state = 'failed';
    }
  }

  /** Tell everybody: store, entity, search attributes, Temporal's UI. */
  private async publish(): Promise<void> {
    const status = this.status();
    setCurrentDetails(progressMarkdown(status.state, this.plan?.phases ?? [], this.tasks));
    const { state, blockedHosts: hosts } = status;
    const told = JSON.stringify([state, hosts]);
    if (told !== this.told) {
      this.told = told;
      upsertSearchAttributes([
        { key: attributes.state, value: state },
        { key: attributes.needsDecision, value: hosts.length > 0 && !this.end },
        { key: attributes.paused, value: state === 'paused' || state === 'pausing' },
        { key: attributes.blockedHosts, value: hosts.slice(0, 50) },
      ]);
      // Before anybody can read it: who sees a blocked host may decide at once, and the entity must know it too. The
      // end is told by the child's completion.
      if (!this.end) await this.notify({ operationId: status.operationId, state, blockedHosts: hosts });
    }
    // The end is written by closeOperation.
    if (!this.end) await writeStatus(status);
  }
}

const now = (): string => new Date().toISOString();

const cancelledFromOutside = ({ host, phase }: TaskStatus): ErrorReport => ({
  code: 'COMMAND_ABORTED',
  message: 'the task was cancelled from outside',
  host,
  phase,
});
