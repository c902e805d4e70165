import { CancellationScope, condition, setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import type { OperationCommand, OperationEvent } from '../contracts/commands.ts';
import type { ErrorReport } from '../contracts/errors.ts';
import type { Decision, OperationInput, OperationResult, OperationStatus } from '../contracts/operation.ts';
import type { Plan } from '../contracts/plan.ts';
import { closeOperation, makePlan, writeStatus, writeTasks } from './control.ts';
import { blockedHosts, decidedTasks } from './lib/decisions.ts';
import { planProblem } from './lib/expand.ts';
import { PauseGate } from './lib/pause-gate.ts';
import { operationState, progressMarkdown } from './lib/progress.ts';
import { TaskChanges } from './lib/task-changes.ts';
import { attributes } from './messages.ts';
import { Projector } from './projector.ts';
import { reportOf } from './task-activity.ts';
import { TaskRunner } from './task-runner.ts';

type Ended = OperationResult['state'];

/** One run of an operation: plan, tasks, decisions, pause, end. State and rules; operation.ts binds it to Temporal. */
export class OperationRun {
  private readonly input: OperationInput;
  private readonly notify: (event: OperationEvent) => Promise<void>;
  private readonly gate = new PauseGate();
  private readonly projector: Projector;
  private readonly changes = new TaskChanges();
  private readonly startedAt: string;
  private planning: CancellationScope | undefined;
  private plan: Plan | undefined;
  private runner: TaskRunner | undefined;
  private ending: { as: Exclude<Ended, 'succeeded'>; error?: ErrorReport } | undefined;
  private end: { state: Ended; at: string; error?: ErrorReport } | undefined;
  private told = '';

  /** `notify` tells the entity; it is called only when state or blocked hosts changed. */
  constructor(input: OperationInput, notify: (event: OperationEvent) => Promise<void>) {
    this.input = input;
    this.notify = notify;
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
    await writeTasks(cluster, operationId, this.changes.take(this.tasks));
    await closeOperation({ cluster, operationId, status: { ...this.status(), tasks: [] } });
    const { state, error } = this.end!;
    return { state, changeCount: this.runner?.changeCount ?? 0, ...(error ? { error } : {}) };
  }

  /** The present status; the query's answer, and what the store is told of. */
  status(): OperationStatus {
    const { cluster, operationId, kind, mode, actor, queuedAt } = this.input;
    return {
      operationId,
      cluster,
      kind,
      mode,
      state: operationState({
        planned: this.runner !== undefined,
        paused: !this.gate.open,
        running: this.runner?.running ?? 0,
        blocked: this.tasks.filter((task) => task.state === 'blocked').length,
        ended: this.end?.state,
        ending: this.ending !== undefined,
      }),
      actor: actor.name,
      specRef: this.runner?.specRef ?? this.input.specRef,
      queuedAt,
      startedAt: this.startedAt,
      endedAt: this.end?.at,
      tasks: [...this.tasks],
      blockedHosts: blockedHosts(this.tasks),
      quarantinedHosts: this.plan?.quarantined ?? [],
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
        this.runner?.pause();
        if (command.mode === 'interrupt') this.runner?.interrupt();
        break;
      case 'resume':
        this.gate.reopen();
        this.runner?.resume();
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
    this.endAs({ as: 'cancelled' });
    this.planning?.cancel();
    this.runner?.interrupt();
    this.pump();
  }

  private get tasks(): TaskRunner['tasks'] {
    return this.runner?.tasks ?? [];
  }

  private async resolvePlan(): Promise<void> {
    this.planning = new CancellationScope();
    try {
      const plan = await this.planning.run(() => makePlan(this.input));
      const problem = planProblem(plan);
      if (problem) return this.finish('failed', problem);
      const { cluster, operationId, kind, actor, requestId, specRef } = this.input;
      this.plan = plan;
      this.runner = new TaskRunner(plan, { cluster, operationId, kind, actor: actor.name, requestId }, specRef, {
        blocked: () => undefined,
        changed: () => this.conclude(),
      });
      if (!this.gate.open) this.runner.pause();
      if (this.ending) this.runner.stop();
    } catch (error) {
      // Cancelled while planning, or the plan cannot be made: either way nothing was done on any host.
      if (this.ending) this.finish(this.ending.as, this.ending.error);
      else this.finish('failed', reportOf(error));
    }
  }

  /** Start what may start, see whether it is over, make the change known. The only way forward. */
  private pump(): void {
    if (this.runner && !this.end) this.runner.pump();
    else this.projector.touch();
  }

  private conclude(): void {
    if (this.runner?.idle && !this.end) this.concludeIdle(this.runner);
    this.projector.touch();
  }

  private concludeIdle(runner: TaskRunner): void {
    if (runner.finished) return this.finish('succeeded');
    if (this.ending) return this.finish(this.ending.as, this.ending.error);
    const waits = !this.gate.open || this.tasks.some((task) => task.state === 'blocked');
    if (!waits) this.finish('failed', { code: 'INTERNAL', message: 'no task can start, and none is blocked' });
  }

  private decide(item: Decision): void {
    const tasks = decidedTasks(item, this.tasks);
    if (tasks.length === 0) return;
    if (item.action === 'abort') {
      const { host, actor } = item;
      const message = `aborted by ${actor.name} after ${host} was blocked`;
      this.endAs({ as: 'failed', error: { code: 'OPERATION_ABORTED', message, host } });
      return;
    }
    this.runner!.specRef = item.specRef ?? this.runner!.specRef;
    this.runner!.retry(tasks);
  }

  /** Start nothing more; end so when nothing runs. A cancel after an abort wins, not the other way round. */
  private endAs(ending: NonNullable<OperationRun['ending']>): void {
    if (this.ending?.as === 'cancelled') return;
    if (this.ending && ending.as !== 'cancelled') return;
    this.ending = ending;
    this.runner?.stop();
  }

  private finish(state: Ended, error?: ErrorReport): void {
    this.end = { state, at: now(), ...(error ? { error } : {}) };
    this.runner?.close();
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
    if (!this.end) await writeStatus({ ...status, tasks: this.changes.take(this.tasks) });
  }
}

const now = (): string => new Date().toISOString();
