import { type ChildWorkflowHandle, ParentClosePolicy, startChild } from '@temporalio/workflow';
import type { BatchAction, BatchInput, BatchOrders, BatchReport, RunFacts } from '../contracts/batch.ts';
import { batchWorkflowId, WORKFLOWS } from '../contracts/messages.ts';
import type { TaskStatus } from '../contracts/operation.ts';
import type { Need } from '../contracts/plan.ts';
import { gatesOf, type Slice } from './lib/slices.ts';
import { attributes, batchCommand } from './messages.ts';
import type { phaseBatch } from './phase-batch.ts';

/** What becomes of a batch's run. `lost`: its workflow ended before its tasks did. */
export interface BatchEvents {
  reported(report: BatchReport): void;
  ended(batch: RemoteBatch, why: string | undefined): void;
}

/** The operation's view of a batch: the last order sent, the last report received. */
export class RemoteBatch {
  readonly index: number;
  readonly slice: Slice;
  /** Needs on the rest of the plan. */
  readonly gates: readonly Need[];
  slots = 0;
  /** Tasks that could run at once, as far as known. */
  demand: number;
  private readonly facts: RunFacts;
  private readonly events: BatchEvents;
  private readonly actions: BatchAction[] = [];
  private state: 'waiting' | 'started' | 'ended' = 'waiting';
  private run = 0;
  private seq = 0;
  private sent = '';
  private last: Pick<BatchReport, 'seq' | 'running' | 'quiet'> = { seq: -1, running: 0, quiet: false };
  /** The newest report of this run. */
  private lastReport = 0;
  private before = 0;
  private changes = 0;
  /** Messages go one after the other, and none before the child exists. */
  private sendQueue: Promise<ChildWorkflowHandle<typeof phaseBatch> | undefined> = Promise.resolve(undefined);

  constructor(index: number, slice: Slice, facts: RunFacts, events: BatchEvents) {
    this.index = index;
    this.slice = slice;
    this.gates = gatesOf(slice.plan);
    this.facts = facts;
    this.events = events;
    this.demand = slice.hosts.length;
  }

  get started(): boolean {
    return this.state === 'started';
  }

  get waiting(): boolean {
    return this.state === 'waiting';
  }

  /** Tasks in flight; at least one unless it is certain that there are none. */
  get running(): number {
    if (!this.started) return 0;
    return this.idle ? 0 : Math.max(1, this.last.running);
  }

  /** It has executed every order, and nothing runs or will start. */
  get idle(): boolean {
    return !this.started || (this.last.quiet && this.last.seq === this.seq && this.actions.length === 0);
  }

  get changeCount(): number {
    return this.before + this.changes;
  }

  /** Have this done with the next message. A batch that does not run has nothing to do. */
  do(action: BatchAction): void {
    if (this.started) this.actions.push(action);
  }

  /** Synchronize the batch: start it when there are slots, send it changed orders. */
  order(orders: BatchOrders, tasks: readonly TaskStatus[]): void {
    if (this.waiting && orders.slots > 0 && !orders.paused && !orders.stopped) this.start(orders, tasks);
    else if (this.started) this.send(orders);
  }

  /** True when the report is of the present run; what it says of slots counts when it knows the last message. */
  applyReport({ run, seq, slots, running, demand, quiet, changeCount, n }: BatchReport): boolean {
    if (run !== this.run || !this.started) return false;
    if (n !== undefined && n <= this.lastReport) return false;
    this.lastReport = n ?? this.lastReport;
    this.last = { seq, running, quiet };
    this.changes = changeCount;
    if (seq !== this.seq) return true;
    this.demand = demand;
    this.slots = slots;
    this.sent = withSlots(this.sent, slots);
    return true;
  }

  /** An ended batch has tasks to run again. */
  reopen(): void {
    if (this.state !== 'ended') return;
    this.state = 'waiting';
    this.run += 1;
    this.lastReport = 0;
    this.before += this.changes;
    this.changes = 0;
    this.demand = this.slice.hosts.length;
  }

  private start(orders: BatchOrders, tasks: readonly TaskStatus[]): void {
    const { index: batch, run, facts } = this;
    const { cluster, operationId } = facts;
    this.state = 'started';
    this.seq = 0;
    this.sent = JSON.stringify(orders);
    this.slots = orders.slots;
    this.last = { seq: -1, running: 0, quiet: false };
    const input: BatchInput = {
      facts,
      batch,
      run,
      plan: this.slice.plan,
      orders,
      done: tasks.flatMap(({ state }, place) => (state === 'succeeded' ? [place] : [])),
      known: tasks.filter(({ state }) => state === 'blocked' || state === 'skipped'),
    };
    const child = startChild<typeof phaseBatch>(WORKFLOWS.phaseBatch, {
      workflowId: batchWorkflowId(cluster, operationId, batch, run),
      args: [input],
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      staticSummary: `batch ${batch + 1}: ${this.slice.hosts[0]} to ${this.slice.hosts.at(-1)}`,
      typedSearchAttributes: [
        { key: attributes.clusterId, value: cluster },
        { key: attributes.opId, value: operationId },
      ],
    });
    this.sendQueue = child.catch(() => undefined);
    void child
      .then((handle) => handle.result())
      .then(
        (report) => {
          this.applyReport(report);
          this.close();
          this.events.reported(report);
          this.events.ended(this, undefined);
        },
        (error: unknown) => {
          this.close();
          const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
          this.events.ended(this, cause instanceof Error ? cause.message : String(cause));
        },
      );
  }

  private close(): void {
    this.state = 'ended';
    this.slots = 0;
    this.demand = 0;
    this.actions.length = 0;
  }

  private send(orders: BatchOrders): void {
    const text = JSON.stringify(orders);
    if (text === this.sent && this.actions.length === 0) return;
    this.sent = text;
    this.slots = orders.slots;
    this.seq += 1;
    const message = { ...orders, seq: this.seq, actions: this.actions.splice(0) };
    this.sendQueue = this.sendQueue.then(async (child) => {
      // A batch that has just ended needs no orders; its result reports its end.
      await child?.signal(batchCommand, message).catch(() => undefined);
      return child;
    });
  }
}

/** The orders as the batch has them after it returned slots. */
function withSlots(orders: string, slots: number): string {
  return JSON.stringify({ ...(JSON.parse(orders) as BatchOrders), slots });
}
