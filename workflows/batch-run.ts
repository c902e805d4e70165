import { condition, patched } from '@temporalio/workflow';
import type { BatchAction, BatchCommand, BatchInput, BatchOrders, BatchReport } from '../contracts/batch.ts';
import type { TaskState, TaskStatus } from '../contracts/operation.ts';
import { writeTasks } from './control.ts';
import { taskKey } from './lib/expand.ts';
import { gateOf } from './lib/slices.ts';
import { TaskChanges } from './lib/task-changes.ts';
import { Projector } from './projector.ts';
import { TaskRunner } from './task-runner.ts';

/** Reports per batch that only count: what it has done, every so many parts of it. */
const PARTS = 10;

/** Above so many tasks, a report leaves their evidence to the store: hundreds of failures at once stay a small payload. */
const MAX_WITH_EVIDENCE = 50;

/** Batches of earlier versions did not report their demand again after an order that crossed their report. */
const DEMAND_AFTER_ORDER = 'demand-after-order';

/** A slice of an operation's plan at work: follows the operation's orders and reports to it. phase-batch.ts binds it to Temporal. */
export class BatchRun {
  private readonly input: BatchInput;
  private readonly sendReport: (report: BatchReport) => Promise<void>;
  private readonly runner: TaskRunner;
  private readonly projector: Projector;
  private readonly changes = new TaskChanges();
  /** State of each task as the operation knows it. */
  private readonly known: TaskState[];
  private readonly prepared = new Set<string>();
  private orders: BatchOrders;
  private seq = 0;
  private reports = 0;
  private changed = true;
  private last: Pick<BatchReport, 'seq' | 'demand' | 'quiet'> = {
    seq: -1,
    demand: Number.POSITIVE_INFINITY,
    quiet: false,
  };

  /** `sendReport` brings a report to the operation. */
  constructor(input: BatchInput, sendReport: (report: BatchReport) => Promise<void>) {
    this.input = input;
    this.sendReport = sendReport;
    this.orders = input.orders;
    const { facts, plan, orders } = input;
    const events = { blocked: () => undefined, changed: () => this.recordChange() };
    this.runner = new TaskRunner(plan, facts, orders.specRef, events, {
      gate: (need) => this.orders.gates.includes(gateOf(need)),
      slots: () => this.orders.slots,
    });
    const { tasks } = this.runner;
    for (const place of input.done) this.runner.applyStatus({ ...tasks[place]!, state: 'succeeded' });
    for (const task of input.known) this.runner.applyStatus(task);
    // What an earlier run did is in the store already.
    this.changes.collect(tasks);
    this.known = tasks.map((task) => task.state);
    this.projector = new Projector(
      () => this.project(),
      () => tasks.length,
    );
  }

  /** From the first task to the last one, or to the operation's word that it is over. */
  async execute(): Promise<BatchReport> {
    this.apply(this.orders);
    this.runner.dispatch();
    const reporting = this.report();
    await condition(() => this.over);
    await reporting;
    if (!this.runner.finished) this.runner.close();
    this.projector.touch();
    await this.projector.settled();
    return this.nextReport();
  }

  /** A message of the operation. */
  command({ seq, actions, ...orders }: BatchCommand): void {
    if (seq <= this.seq) return;
    this.seq = seq;
    this.apply(orders);
    for (const action of actions) this.act(action);
    this.runner.dispatch();
  }

  /** End: nothing more starts, what runs is cancelled at its present command. */
  cancel(): void {
    this.apply({ ...this.orders, stopped: true });
    this.runner.interrupt();
    this.runner.dispatch();
  }

  private get over(): boolean {
    return this.runner.running === 0 && (this.runner.finished || this.orders.stopped);
  }

  private apply(orders: BatchOrders): void {
    this.orders = orders;
    this.runner.specRef = orders.specRef;
    if (orders.stopped) this.runner.stop();
    if (orders.paused) this.runner.pause();
    else this.runner.resume();
  }

  private act(action: BatchAction): void {
    switch (action.do) {
      case 'interrupt':
        return this.runner.interrupt();
      case 'retry':
        return this.runner.retry(
          this.runner.tasks.filter(({ phase, host, state }) => {
            return state !== 'pending' && action.tasks.includes(taskKey(phase, host));
          }),
        );
      case 'leaveOut':
        return this.runner.excludeHost(action.host);
      case 'restart':
        return this.runner.restart(
          action.host,
          condition(() => this.prepared.delete(action.host)),
        );
      case 'prepared':
        this.prepared.add(action.host);
    }
  }

  private recordChange(): void {
    this.changed = true;
    this.projector.touch();
  }

  private async project(): Promise<void> {
    const { cluster, operationId } = this.input.facts;
    await writeTasks(cluster, operationId, this.changes.collect(this.runner.tasks));
  }

  /** Report to the operation, one report at a time, until the batch is over: its end is its result. */
  private async report(): Promise<void> {
    while (!this.over) {
      this.changed = false;
      if (this.isDue()) {
        // The store is written before the report, so that a reader of the report finds the same in the store.
        this.projector.touch(true);
        await this.sendReport(this.nextReport());
      }
      await condition(() => this.over || this.changed);
    }
  }

  private isDue(): boolean {
    const { tasks, demand } = this.runner;
    const { slots, paused } = this.orders;
    const changes = tasks.filter(({ state }, place) => state !== this.known[place] && state !== 'running');
    // Blocked or skipped tasks are reported at once.
    if (changes.some(({ state }) => state === 'blocked' || state === 'skipped')) return true;
    if (changes.length >= Math.max(1, tasks.length / PARTS)) return true;
    if (this.quiet) return changes.length > 0 || !this.last.quiet || this.last.seq !== this.seq;
    if (paused) return false;
    // Others may use the slots; or there is use for more than the operation thinks.
    if (demand <= slots / 2) return true;
    return demand > slots && (this.last.demand <= slots || this.isDemandUnknown);
  }

  /**
   * An order crossed the last report: the operation did not take the demand of that report, for it may have been of the
   * state before the order, and would give no slots.
   */
  private get isDemandUnknown(): boolean {
    return this.last.seq !== this.seq && patched(DEMAND_AFTER_ORDER);
  }

  private get quiet(): boolean {
    const { running, demand } = this.runner;
    return running === 0 && (this.orders.paused || this.orders.stopped || demand === 0);
  }

  /** What is new, as a report; it counts as reported, and unused slots as returned. */
  private nextReport(): BatchReport {
    const { tasks, running, demand, changeCount } = this.runner;
    const { quiet, seq } = this;
    if (!this.orders.paused) this.orders = { ...this.orders, slots: Math.min(this.orders.slots, demand) };
    const done: number[] = [];
    const others = tasks.filter(({ state }, place) => {
      if (state === this.known[place] || state === 'running') return false;
      this.known[place] = state;
      if (state === 'succeeded') done.push(place);
      return state !== 'succeeded';
    });
    this.last = { seq, demand, quiet };
    const { batch, run } = this.input;
    return {
      batch,
      run,
      seq,
      slots: this.orders.slots,
      running,
      demand,
      quiet,
      done,
      tasks: others.map((task) => (others.length > MAX_WITH_EVIDENCE ? withoutEvidence(task) : { ...task })),
      changeCount,
      n: ++this.reports,
    };
  }
}

function withoutEvidence(task: TaskStatus): TaskStatus {
  if (!task.error) return { ...task };
  const { evidence: _evidence, ...error } = task.error;
  return { ...task, error };
}
