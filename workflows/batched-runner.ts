import type { BatchReport, RunFacts } from '../contracts/batch.ts';
import type { ErrorReport } from '../contracts/errors.ts';
import type { TaskStatus } from '../contracts/operation.ts';
import type { Plan } from '../contracts/plan.ts';
import { taskKey } from './lib/expand.ts';
import { gateOf, type Slice } from './lib/slices.ts';
import { handOut, reservedSlots } from './lib/slots.ts';
import { RemoteBatch } from './remote-batch.ts';
import { type RunnerEvents, TaskRunner } from './task-runner.ts';

/**
 * Runs a large plan: some hosts itself, the others in batches, which are child workflows. To its owner it is a TaskRunner:
 * it knows every task, and what is decided about a task of a batch goes on to the batch.
 */
export class BatchedRunner {
  private readonly plan: Plan;
  private readonly events: RunnerEvents;
  /** All tasks; those of the batches' hosts run elsewhere. */
  private readonly all: TaskRunner;
  private readonly batches: readonly RemoteBatch[];
  /** The batch of a host. */
  private readonly byHost: ReadonlyMap<string, RemoteBatch>;
  /** Tasks per batch, in the order of its plan. */
  private readonly parts: readonly (readonly TaskStatus[])[];
  /** Tasks that no batch runs. */
  private readonly stays: TaskStatus[];
  private readonly ownHosts: number;
  private paused = false;
  private stopped = false;

  /** `plan` has passed planProblem(); `slices` are its slicesOf(). Nothing starts before the first `dispatch`. */
  constructor(plan: Plan, slices: readonly Slice[], facts: RunFacts, specRef: string, events: RunnerEvents) {
    this.plan = plan;
    this.events = events;
    const away = new Set(slices.flatMap(({ hosts }) => hosts));
    this.all = new TaskRunner(
      plan,
      facts,
      specRef,
      { blocked: (task) => events.blocked(task), changed: () => this.changed() },
      { away, slots: () => plan.maxParallel - this.slotsGiven },
    );
    const byKey = new Map(this.all.tasks.map((task) => [taskKey(task.phase, task.host), task]));
    this.batches = slices.map(
      (slice, index) =>
        new RemoteBatch(index, slice, facts, {
          reported: (report) => this.applyStatus(report),
          ended: (batch, why) => this.ended(batch, why),
        }),
    );
    this.byHost = new Map(slices.flatMap(({ hosts }, index) => hosts.map((host) => [host, this.batches[index]!])));
    this.parts = slices.map((slice) =>
      slice.plan.phases.flatMap(({ name, hosts }) => hosts.map((host) => byKey.get(taskKey(name, host))!)),
    );
    this.stays = this.all.tasks.filter(({ host }) => !away.has(host));
    this.ownHosts = new Set(this.stays.map(({ host }) => host)).size;
  }

  get tasks(): readonly TaskStatus[] {
    return this.all.tasks;
  }

  /** Tasks that only the owner of this runner writes to the store. */
  get own(): readonly TaskStatus[] {
    const unreported = this.batches
      .filter((batch) => !batch.started)
      .flatMap((batch) => this.parts[batch.index]!.filter(({ state }) => state !== 'succeeded' && state !== 'skipped'));
    // A batch cannot know what the policy says of its blocked tasks.
    const decidedByPolicy = this.tasks.filter(
      ({ host, policy }) => policy !== undefined && this.byHost.get(host)?.started,
    );
    return [...this.stays, ...unreported, ...decidedByPolicy];
  }

  get specRef(): string {
    return this.all.specRef;
  }

  set specRef(specRef: string) {
    this.all.specRef = specRef;
  }

  get running(): number {
    return this.batches.reduce((sum, batch) => sum + batch.running, this.all.running);
  }

  get idle(): boolean {
    return this.all.idle && this.batches.every((batch) => batch.idle);
  }

  get finished(): boolean {
    return this.all.finished;
  }

  get changeCount(): number {
    return this.batches.reduce((sum, batch) => sum + batch.changeCount, this.all.changeCount);
  }

  dispatch(): void {
    this.all.dispatch();
  }

  pause(): void {
    this.paused = true;
    this.all.pause();
  }

  resume(): void {
    this.paused = false;
    this.all.resume();
  }

  interrupt(): void {
    this.all.interrupt();
    for (const batch of this.batches) batch.do({ do: 'interrupt' });
  }

  stop(): void {
    this.stopped = true;
    this.all.stop();
  }

  retry(tasks: readonly TaskStatus[]): void {
    // Before their states change: batches are notified first.
    for (const batch of this.batches) {
      const own = tasks.filter(({ host, state }) => this.byHost.get(host) === batch && state !== 'pending');
      if (own.length === 0) continue;
      batch.reopen();
      batch.do({ do: 'retry', tasks: own.map(({ phase, host }) => taskKey(phase, host)) });
    }
    this.all.retry(tasks);
  }

  isExcluded(host: string): boolean {
    return this.all.isExcluded(host);
  }

  excludeHost(host: string): void {
    this.byHost.get(host)?.do({ do: 'leaveOut', host });
    const known = this.all.tasks.length;
    this.all.excludeHost(host);
    // What another host takes over stays here, wherever that host is.
    this.stays.push(...this.all.tasks.slice(known));
  }

  restart(host: string, prepared: Promise<void>): void {
    const batch = this.byHost.get(host);
    const isStarted = batch?.started ?? false;
    batch?.do({ do: 'restart', host });
    const ready = prepared.then(() => {
      if (isStarted) batch?.do({ do: 'prepared', host });
      else batch?.reopen();
    });
    this.all.restart(host, ready);
  }

  close(): void {
    this.all.close();
  }

  /** A batch reports its progress. */
  report(report: BatchReport): void {
    if (this.batches[report.batch]?.applyReport(report)) this.applyStatus(report);
  }

  private get slotsGiven(): number {
    return this.batches.reduce((sum, { slots }) => sum + slots, 0);
  }

  private applyStatus({ batch, done, tasks }: BatchReport): void {
    const part = this.parts[batch]!;
    for (const place of done) this.all.applyStatus({ ...part[place]!, state: 'succeeded' });
    for (const task of tasks) this.all.applyStatus(task);
    this.all.dispatch();
  }

  /** Tasks that a batch left undone without an order to end wait for a decision. */
  private ended(batch: RemoteBatch, why: string | undefined): void {
    if (!this.stopped) {
      const message = `batch ${batch.index + 1} of the operation ended early: ${why ?? 'it was cancelled'}`;
      for (const task of this.parts[batch.index]!) {
        if (['succeeded', 'skipped', 'blocked'].includes(task.state)) continue;
        const { host, phase } = task;
        const error: ErrorReport = { code: 'INTERNAL', message, host, phase };
        this.all.applyStatus({ ...task, state: 'blocked', error });
      }
    }
    this.all.dispatch();
  }

  /** Synchronize all batches, before the owner checks whether it is over. */
  private changed(): void {
    const { maxParallel } = this.plan;
    const { demand } = this.all;
    const finished = this.stays.every(({ state }) => state === 'succeeded' || state === 'skipped');
    const orders = this.batches.map((batch) => ({
      slots: batch.slots,
      gates: batch.gates.filter((need) => this.all.met(need)).map(gateOf),
      paused: this.paused,
      stopped: this.stopped,
      specRef: this.specRef,
    }));
    const reserved = reservedSlots(maxParallel, { demand, hosts: this.ownHosts, finished });
    const slots = this.paused || this.stopped ? null : handOut(maxParallel, reserved, this.batches);
    for (const [index, batch] of this.batches.entries()) {
      batch.order({ ...orders[index]!, slots: slots?.[index] ?? batch.slots }, this.parts[index]!);
    }
    this.events.changed();
  }
}
