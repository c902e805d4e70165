import { CancellationScope, condition, setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import type {
  ActionBase,
  ActionResult,
  AmendInput,
  DecideInput,
  OperationEvent,
  PauseInput,
  ResumeInput,
} from '../contracts/actions.ts';
import type { BatchReport } from '../contracts/batch.ts';
import { traitsOf } from '../contracts/earlier-kinds.ts';
import type { ErrorReport } from '../contracts/errors.ts';
import { LIMITS } from '../contracts/limits.ts';
import { ACTORS } from '../contracts/messages.ts';
import type {
  Decision,
  DecisionRecord,
  OperationInput,
  OperationResult,
  OperationState,
  OperationStatus,
  QuarantinedHost,
  TaskStatus,
} from '../contracts/operation.ts';
import type { Plan } from '../contracts/plan.ts';
import { BatchedRunner } from './batched-runner.ts';
import { closeOperation, forgetHost, makePlan, writeStatus, writeTasks } from './control.ts';
import { HealthCheck } from './health-check.ts';
import {
  blockedHosts,
  CANCELLED_OUTSIDE,
  correctionProblem,
  decidedTasks,
  decisionProblem,
  logged,
} from './lib/decisions.ts';
import { planProblem } from './lib/expand.ts';
import { dropBackOrGone, dropRemovedHosts, policyAnswer } from './lib/failure-policy.ts';
import { PauseGate } from './lib/pause-gate.ts';
import { operationState, progressMarkdown } from './lib/progress.ts';
import { slicesOf } from './lib/slices.ts';
import { TaskChanges } from './lib/task-changes.ts';
import { attributes, refusal } from './messages.ts';
import { Projector } from './projector.ts';
import { reportOf } from './task-activity.ts';
import { TaskRunner } from './task-runner.ts';

type Ended = OperationResult['state'];

/**
 * One run of an operation: plan, tasks, decisions, pause, quarantine, end. State and rules; operation.ts binds it to
 * Temporal. `check*` are validators: synchronous, no change; they throw the refusal.
 */
export class OperationRun {
  private readonly input: OperationInput;
  private readonly notify: (event: OperationEvent) => Promise<void>;
  private readonly gate = new PauseGate();
  private readonly projector: Projector;
  private readonly changes = new TaskChanges();
  private readonly startedAt: string;
  private readonly quarantine: Map<string, QuarantinedHost>;
  private planning: CancellationScope | undefined;
  private plan: Plan | undefined;
  private runner: TaskRunner | BatchedRunner | undefined;
  private decisions: DecisionRecord[] = [];
  private ending: { as: Exclude<Ended, 'succeeded'>; error?: ErrorReport } | undefined;
  private end: { state: Ended; at: string; error?: ErrorReport } | undefined;
  private health: HealthCheck | undefined;
  private version = 0;
  /** Messages taken: each is some events of a history that must end somewhere. */
  private commands = 0;
  private seen = '';
  private lastPublished = '';
  /** The state that was last written. */
  private published: OperationState | undefined;

  /** `notify` signals the entity; it is called only when state, blocked hosts or quarantine changed. */
  constructor(input: OperationInput, notify: (event: OperationEvent) => Promise<void>) {
    this.input = input;
    this.notify = notify;
    this.startedAt = now();
    this.quarantine = new Map((input.quarantine ?? []).map((each) => [each.host, each]));
    this.projector = new Projector(
      () => this.publish(),
      () => this.tasks.length,
    );
  }

  /** From plan to the last task. Ends only by success, abort, cancel, or a plan that cannot be made. */
  async execute(): Promise<OperationResult> {
    this.projector.touch();
    await this.resolvePlan();
    this.dispatch();
    await condition(() => this.end !== undefined);
    // Whatever the operation did: the cluster as it is now. One that was cancelled ends at once.
    if (this.end!.state !== 'cancelled') await this.health?.end(this.runner?.changeCount ?? 0);
    await this.projector.settled();
    const { cluster, operationId } = this.input;
    await writeTasks(cluster, operationId, this.changes.collect(this.runner?.own ?? []));
    await closeOperation({ cluster, operationId, status: { ...this.status(), tasks: [] } });
    const { state, error } = this.end!;
    const changeCount = this.runner?.changeCount ?? 0;
    return { state, changeCount, quarantine: this.quarantined(), ...(error ? { error } : {}) };
  }

  /** The present status; the query's answer, and what is written to the store. */
  status(): OperationStatus {
    const { cluster, operationId, kind, mode, actor, queuedAt, phases, hosts } = this.input;
    const quarantine = this.quarantined();
    return {
      operationId,
      cluster,
      kind,
      mode,
      state: this.state,
      actor: actor.name,
      ...(actor.id === undefined ? {} : { actorId: actor.id }),
      specRef: this.specRef,
      queuedAt,
      startedAt: this.startedAt,
      endedAt: this.end?.at,
      ...(phases ? { phases } : {}),
      ...(hosts ? { hosts } : {}),
      tasks: [...this.tasks],
      blockedHosts: blockedHosts(this.tasks),
      quarantinedHosts: quarantine.map(({ host }) => host),
      quarantine,
      version: this.version,
      decisions: this.decisions,
      error: this.end?.error,
      pause: this.gate.pause,
      ...(this.health?.found ? { health: this.health.found } : {}),
    };
  }

  checkPause({ mode, expectedVersion }: PauseInput): void {
    this.checkOpen(expectedVersion);
    const { pause } = this.gate;
    if (!pause || (mode === 'interrupt' && pause.mode === 'drain' && !this.runner?.idle)) return;
    const { operationId } = this.input;
    throw refusal('CONFLICT', `operation ${operationId} is paused already, by ${pause.by} at ${pause.at}`);
  }

  /** Start nothing new; with `interrupt`, also cancel what runs, to run it again later. */
  pause(input: PauseInput): ActionResult {
    this.commands += 1;
    this.gate.close(input, now());
    this.runner?.pause();
    if (input.mode === 'interrupt') this.runner?.interrupt();
    return this.took(input, { action: 'pause', mode: input.mode });
  }

  checkResume({ expectedVersion }: ResumeInput): void {
    this.checkOpen(expectedVersion);
    if (this.gate.open) throw refusal('CONFLICT', `operation ${this.input.operationId} is not paused`);
  }

  resume(input: ResumeInput): ActionResult {
    this.commands += 1;
    this.gate.reopen();
    this.runner?.resume();
    return this.took(input, { action: 'resume' });
  }

  checkDecide({ items, expectedVersion }: DecideInput): void {
    this.checkOpen(expectedVersion);
    this.refuse(
      decisionProblem(items, {
        plan: { quorum: this.plan?.quorum ?? [] },
        tasks: this.tasks,
        out: new Set(this.quarantine.keys()),
        specRef: this.specRef,
      }),
    );
  }

  decide({ items }: DecideInput): ActionResult {
    this.commands += 1;
    for (const item of items) {
      this.apply(item);
      const { host, phase, action } = item;
      this.took(item, { action, host, ...(phase === undefined ? {} : { phase }) });
    }
    return { operationId: this.input.operationId };
  }

  checkAmend(input: AmendInput): void {
    this.checkOpen(input.expectedVersion);
    this.refuse(correctionProblem(input, this.specRef));
    const { operationId } = this.input;
    if (!this.runner) throw refusal('CONFLICT', `operation ${operationId} is still planning`);
    if (!this.gate.open || blockedHosts(this.tasks).length > 0) return;
    throw refusal('CONFLICT', `operation ${operationId} is neither paused nor blocked: pause it to correct it`);
  }

  /** Tasks that start from now on are given the corrected spec. */
  amend(input: AmendInput): ActionResult {
    this.commands += 1;
    this.runner!.specRef = input.specRef;
    return this.took(input, { action: 'amend', host: input.host });
  }

  /** End as cancelled: running tasks are cancelled at their present command. */
  cancel(by?: ActionBase): void {
    if (this.end) return;
    this.endAs(by ? { as: 'cancelled' } : { as: 'cancelled', error: CANCELLED_OUTSIDE });
    this.planning?.cancel();
    this.runner?.interrupt();
    if (by) this.took(by, { action: 'cancel' });
    else this.dispatch();
  }

  /** A batch of this operation reports its progress. */
  batchReport(report: BatchReport): void {
    if (this.runner instanceof BatchedRunner && !this.end) this.runner.report(report);
  }

  private get tasks(): TaskRunner['tasks'] {
    return this.runner?.tasks ?? [];
  }

  private get state(): OperationState {
    return operationState({
      planned: this.runner !== undefined,
      paused: !this.gate.open,
      running: this.runner?.running ?? 0,
      blocked: this.tasks.filter((task) => task.state === 'blocked').length,
      ended: this.end?.state,
      ending: this.ending !== undefined,
    });
  }

  private get specRef(): string {
    return this.runner?.specRef ?? this.input.specRef;
  }

  /** Hosts in quarantine, by name. */
  private quarantined(): QuarantinedHost[] {
    return [...this.quarantine.values()].sort((a, b) => (a.host < b.host ? -1 : 1));
  }

  private async resolvePlan(): Promise<void> {
    this.planning = new CancellationScope();
    try {
      const plan = await this.planning.run(() => makePlan(this.input));
      const problem = planProblem(plan);
      if (problem) return this.finish('failed', problem);
      this.plan = plan;
      if (plan.health) this.health = new HealthCheck(plan, this.input, () => [this.specRef, this.quarantined()]);
      dropRemovedHosts(plan, this.quarantine);
      await this.planning.run(async () => {
        for (const host of this.input.replaced ?? []) await forgetHost({ cluster: this.input.cluster, host });
      });
      const { cluster, operationId, kind, actor, requestId, specRef } = this.input;
      const by = actor.id === undefined ? {} : { actorId: actor.id };
      const { effect } = traitsOf(this.input);
      const facts = { cluster, operationId, kind, effect, actor: actor.name, ...by, requestId };
      const events = { blocked: (task: TaskStatus) => this.applyPolicy(task), changed: () => this.conclude() };
      const slices = slicesOf(plan);
      const runner =
        slices.length === 0
          ? new TaskRunner(plan, facts, specRef, events)
          : new BatchedRunner(plan, slices, facts, specRef, events);
      // Before batches begin to write theirs: the order of writing is the order of showing.
      if (slices.length > 0) await writeTasks(cluster, operationId, this.changes.collect(runner.tasks));
      this.runner = runner;
      if (!this.gate.open) this.runner.pause();
      if (this.ending) this.runner.stop();
    } catch (error) {
      // Cancelled while planning, or the plan cannot be made: either way nothing was done on any host.
      if (this.ending) this.finish(this.ending.as, this.ending.error);
      else this.finish('failed', reportOf(error));
    }
  }

  /** Start what may start, see whether it is over, make the change known. The only way forward. */
  private dispatch(): void {
    if (this.runner && !this.end) this.runner.dispatch();
    else this.changed();
  }

  private conclude(): void {
    if (this.runner && !this.end) this.health?.begin(this.runner);
    if (this.runner?.idle && !this.end) this.concludeIdle(this.runner);
    this.changed();
  }

  private concludeIdle(runner: TaskRunner | BatchedRunner): void {
    if (runner.finished) return this.finishDone();
    if (this.ending) return this.finish(this.ending.as, this.ending.error);
    const waits = !this.gate.open || this.tasks.some((task) => task.state === 'blocked');
    if (!waits) this.finish('failed', { code: 'INTERNAL', message: 'no task can start, and none is blocked' });
  }

  /** Every task is done or skipped. Hosts that were in quarantine before, took part, and were not left out again, are in. */
  private finishDone(): void {
    const { plan, runner, input } = this;
    if (traitsOf(input).targets === 'quarantined' && plan!.focus?.every((host) => runner!.isExcluded(host))) {
      return this.finish('failed', this.tasks.find((task) => task.state === 'skipped' && task.error)?.error);
    }
    if (input.mode === 'apply') dropBackOrGone(this.quarantine, input, plan!, (host) => runner!.isExcluded(host));
    this.finish('succeeded');
  }

  private apply(item: Decision): void {
    const { host, action, actor, reason } = item;
    const tasks = decidedTasks(item, this.tasks);
    if (item.specRef !== undefined) this.runner!.specRef = item.specRef;
    switch (action) {
      case 'retry':
        return this.runner!.retry(tasks);
      case 'skip':
        this.excludeHost(host, tasks[0]!, actor.name, reason);
        return this.retryBlaming(host, tasks);
      case 'replace':
        this.replace(host);
        return this.retryBlaming(host, tasks);
      case 'abort':
        return this.abort(host, actor.name);
    }
  }

  /** Go on without a host, because of a blocked task. */
  private excludeHost(host: string, { phase, error }: TaskStatus, by: string, reason?: string): void {
    const why = reason ?? (error ? `${error.code}: ${error.message}` : 'no reason given');
    const { operationId } = this.input;
    this.quarantine.set(host, { host, since: now(), by, why, phase, operationId });
    this.runner!.excludeHost(host);
  }

  /** Others were blocked by the host alone. */
  private retryBlaming(host: string, tasks: readonly TaskStatus[]): void {
    this.runner!.retry(tasks.filter((task) => task.host !== host && task.state === 'blocked'));
  }

  /** Nothing that is known of the old machine may confuse: its key is forgotten, and every task runs again. */
  private replace(host: string): void {
    this.runner!.restart(host, forgetHost({ cluster: this.input.cluster, host }));
    // Others reach such a host by its address: what was done on them is looked at again. Of any other, it is only where
    // they must let it in.
    const followed = this.plan!.quorum.some(({ hosts }) => hosts.includes(host));
    const admits = new Map(this.plan!.phases.map((phase) => [phase.name, phase.admits]));
    this.runner!.retry(
      this.tasks.filter(
        (task) =>
          task.host !== host &&
          (task.state === 'succeeded' || task.state === 'running') &&
          (followed || admits.get(task.phase)!.includes(task.host)),
      ),
    );
  }

  private abort(host: string, by: string): void {
    const message = `aborted by ${by} after ${host} was blocked`;
    this.endAs({ as: 'failed', error: { code: 'OPERATION_ABORTED', message, host } });
  }

  /** A task is blocked and no decision was requested yet. */
  private applyPolicy(task: TaskStatus): void {
    const { phase, error } = task;
    const reason = error ? `${error.code}: ${error.message}` : undefined;
    const { requestId } = this.input;
    // Where others are to blame, the task's own host is not.
    const hosts = error?.blames?.length ? error.blames : [task.host];
    for (const host of hosts) {
      if (this.ending || this.runner!.isExcluded(host)) continue;
      const answer = policyAnswer(this.plan!, host, new Set(this.quarantine.keys()));
      if (answer.act === 'wait') {
        if (answer.why !== undefined) task.policy = answer.why;
        continue;
      }
      const action = answer.act === 'abort' ? 'abort' : 'skip';
      if (action === 'abort') this.abort(host, ACTORS.policy);
      else this.excludeHost(host, task, ACTORS.policy);
      this.log({ by: ACTORS.policy, action, host, phase, reason, requestId });
    }
    if (hosts.every((host) => this.runner!.isExcluded(host)) && task.state === 'blocked') this.runner!.retry([task]);
  }

  /** Note who said it, go on, answer. */
  private took(by: ActionBase, what: Pick<DecisionRecord, 'action' | 'host' | 'phase' | 'mode'>): ActionResult {
    const { actor, requestId, reason } = by;
    const byId = actor.id === undefined ? {} : { byId: actor.id };
    this.log({ by: actor.name, ...byId, ...what, reason, requestId });
    this.dispatch();
    return { operationId: this.input.operationId };
  }

  private log({ reason, ...record }: Omit<DecisionRecord, 'at'>): void {
    const entry = { at: now(), ...record, ...(reason === undefined ? {} : { reason }) };
    this.decisions = logged(this.decisions, entry);
  }

  private checkOpen(expectedVersion: number | undefined): void {
    const { operationId } = this.input;
    if (this.end) throw refusal('CONFLICT', `operation ${operationId} has ended`);
    if (this.ending) throw refusal('CONFLICT', `operation ${operationId} is about to end`);
    if (this.commands >= LIMITS.commandsPerOperation) {
      const much = `operation ${operationId} has processed ${this.commands} actions, which is its limit`;
      throw refusal('CONFLICT', `${much}; cancel it and start another one, which continues where this one stopped`);
    }
    if (expectedVersion === undefined || expectedVersion === this.version) return;
    throw refusal('STALE_VERSION', `operation ${operationId} is at version ${this.version}, not ${expectedVersion}`);
  }

  private refuse(problem: ErrorReport | null): void {
    if (problem) throw refusal(problem.code, problem.message);
  }

  /** Start nothing more; end so when nothing runs. A cancel takes the place of an abort, not the other way round. */
  private endAs(ending: NonNullable<OperationRun['ending']>): void {
    if (this.ending && ending.as !== 'cancelled') return;
    this.ending = ending;
    this.runner?.stop();
  }

  private finish(state: Ended, error?: ErrorReport): void {
    this.end = { state, at: now(), ...(error ? { error } : {}) };
    this.runner?.close();
  }

  /** Count what a decision may depend on, and make the change known. */
  private changed(): void {
    const blocked = this.tasks.filter((task) => task.state === 'blocked').map(({ phase, host }) => [phase, host]);
    const seen = JSON.stringify([
      this.gate.pause,
      blocked,
      [...this.quarantine.keys()],
      this.decisions.length,
      this.decisions.at(-1)?.at,
      this.specRef,
      this.end?.state,
    ]);
    const isNew = seen !== this.seen;
    if (isNew) {
      this.seen = seen;
      this.version += 1;
    }
    // A caller may wait for it.
    this.projector.touch(isNew || this.state !== this.published);
  }

  /** Publish the status: store, entity, search attributes, Temporal's UI. */
  private async publish(): Promise<void> {
    const status = this.status();
    this.published = status.state;
    setCurrentDetails(progressMarkdown(status.state, this.plan?.phases ?? [], this.tasks));
    const { operationId, state, blockedHosts: hosts, quarantine = [] } = status;
    const lastPublished = JSON.stringify([state, hosts, quarantine]);
    if (lastPublished !== this.lastPublished) {
      this.lastPublished = lastPublished;
      upsertSearchAttributes([
        { key: attributes.state, value: state },
        { key: attributes.needsDecision, value: hosts.length > 0 && !this.end },
        { key: attributes.paused, value: state === 'paused' || state === 'pausing' },
        { key: attributes.blockedHosts, value: hosts.slice(0, 50) },
      ]);
      // Before the status can be read: the entity's answer must not be older than the store's. The end is reported
      // by the child's completion.
      if (!this.end) await this.notify({ operationId, state, blockedHosts: hosts, quarantine });
    }
    // The end is written by closeOperation.
    if (!this.end) await writeStatus({ ...status, tasks: this.changes.collect(this.runner?.own ?? []) });
  }
}

const now = (): string => new Date().toISOString();
