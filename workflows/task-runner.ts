import { CancellationScope } from '@temporalio/workflow';
import type { RunFacts } from '../contracts/batch.ts';
import type { ErrorReport } from '../contracts/errors.ts';
import type { TaskInput, TaskState, TaskStatus } from '../contracts/operation.ts';
import type { Need, Plan } from '../contracts/plan.ts';
import { type GraphTask, taskKey } from './lib/expand.ts';
import { type GraphScope, TaskGraph } from './lib/graph.ts';
import { runTaskActivity, type TaskOutcome } from './task-activity.ts';

/**
 * How often a task whose worker fell silent at its last attempt starts anew before it asks for a decision: enough for a
 * worker that crashes again and again, and an end for a task that takes its worker down with it.
 */
const LOST_WORKERS = 5;

/** What a runner of a part of a plan may not decide alone. */
export interface RunnerScope extends GraphScope {
  /** Tasks in flight at once; default: the plan's limit. */
  slots?: (() => number) | undefined;
}

/** What the owner of a runner learns. Both are called synchronously, and may call the runner. */
export interface RunnerEvents {
  /** A task's attempts are used up: it waits for a decision. */
  blocked(task: TaskStatus): void;
  /** Something changed: a task started, ended, was blocked or released. */
  changed(): void;
}

/**
 * Runs the tasks of a plan, or of a part of one: starts what may start, holds while paused, cancels and runs again.
 * Knows neither entity nor store. The owner acts between two calls and ends the run when `idle`.
 */
export class TaskRunner {
  /** The spec that tasks started from now on are given. */
  specRef: string;
  private readonly plan: Plan;
  private readonly facts: RunFacts;
  private readonly events: RunnerEvents;
  private readonly scope: RunnerScope;
  private readonly graph: TaskGraph;
  private readonly statuses: TaskStatus[];
  private readonly byKey: Map<string, TaskStatus>;
  private readonly phases: ReadonlyMap<string, Plan['phases'][number]>;
  private readonly scopes = new Map<string, CancellationScope>();
  private readonly reruns = new Map<string, number>();
  /** Lost workers of tasks since their last decision. */
  private readonly losses = new Map<string, number>();
  /** Hosts that have left. */
  private readonly excluded = new Set<string>();
  /** Hosts of which nothing may start yet. */
  private readonly waitingForMachine = new Set<string>();
  /** Running tasks that must run again, however they end. */
  private readonly rerunAfter = new Set<string>();
  private changes = 0;
  private paused = false;
  private stopped = false;

  /** `plan` has passed planProblem(). Nothing starts before the first `dispatch`. */
  constructor(plan: Plan, facts: RunFacts, specRef: string, events: RunnerEvents, scope: RunnerScope = {}) {
    this.plan = plan;
    this.facts = facts;
    this.specRef = specRef;
    this.events = events;
    this.scope = scope;
    this.graph = new TaskGraph(plan, scope);
    this.statuses = this.graph.tasks.map(newStatus);
    this.byKey = new Map(this.tasks.map((task) => [taskKey(task.phase, task.host), task]));
    this.phases = new Map(plan.phases.map((phase) => [phase.name, phase]));
  }

  /** Status of every task, in the fixed order. Kept up to date in place. */
  get tasks(): readonly TaskStatus[] {
    return this.statuses;
  }

  /** Tasks in flight. */
  get running(): number {
    return this.graph.running;
  }

  /** Tasks that are in flight, or would be were there no limit. */
  get demand(): number {
    return this.graph.running + this.graph.ready;
  }

  /** Tasks that this runner's owner writes to the store. */
  get own(): readonly TaskStatus[] {
    return this.tasks;
  }

  /** True when a need that spans hosts is met. */
  met(need: Need): boolean {
    return this.graph.met(need);
  }

  /** Nothing is in flight, and nothing starts until the owner acts. */
  get idle(): boolean {
    return this.graph.running === 0 && this.waitingForMachine.size === 0;
  }

  /** Every task is done, or skipped. */
  get finished(): boolean {
    return this.graph.finished;
  }

  /** Changes that all tasks made together. */
  get changeCount(): number {
    return this.changes;
  }

  /** Start what may start. */
  dispatch(): void {
    if (!this.stopped && !this.paused) {
      for (const task of this.graph.next(this.scope.slots?.())) this.start(task);
    }
    this.events.changed();
  }

  /** Start nothing more. */
  pause(): void {
    this.paused = true;
  }

  /** Start again what may start, with the next `dispatch`. */
  resume(): void {
    this.paused = false;
  }

  /** Cancel what runs at its present command; it runs again when its turn comes. */
  interrupt(): void {
    for (const scope of this.scopes.values()) scope.cancel();
  }

  /** Start nothing any more; what is interrupted from now on has ended. */
  stop(): void {
    this.stopped = true;
  }

  /** Run tasks again, blocked or done ones; those that run now, once more when they have ended. */
  retry(tasks: readonly TaskStatus[]): void {
    for (const task of tasks) {
      const key = taskKey(task.phase, task.host);
      if (task.state === 'running') this.rerunAfter.add(key);
      else if (task.state !== 'pending') {
        this.losses.delete(key);
        reset(task);
        if (this.waitingForMachine.has(task.host)) this.graph.park(key);
        else this.graph.release(key);
      }
    }
  }

  /** The run goes on without this host. */
  isExcluded(host: string): boolean {
    return this.excluded.has(host);
  }

  /**
   * Go on without a host: what runs there is cancelled, what is not done is skipped; what it was to do for the whole
   * cluster, another host does.
   */
  excludeHost(host: string): void {
    this.excluded.add(host);
    const orphaned = this.tasks.filter((task) => task.host === host && task.state !== 'succeeded');
    for (const task of orphaned) {
      const key = taskKey(task.phase, host);
      if (task.state === 'running') this.scopes.get(key)?.cancel();
      else this.skip(key, task);
    }
    for (const { phase } of orphaned) this.moveToFailoverHost(phase);
  }

  /** All tasks of a host run again, on another machine; none before `prepared`. */
  restart(host: string, prepared: Promise<void>): void {
    this.waitingForMachine.add(host);
    const own = this.tasks.filter((task) => task.host === host);
    for (const { phase, state } of own) {
      const key = taskKey(phase, host);
      if (state === 'running') this.scopes.get(key)?.cancel();
      if (state === 'pending') this.graph.park(key);
    }
    this.retry(own);
    void prepared.then(() => {
      this.waitingForMachine.delete(host);
      for (const task of own) if (task.state === 'pending') this.graph.release(taskKey(task.phase, host));
      this.dispatch();
    });
  }

  /** Another workflow reports the state of a task. A decision made meanwhile takes precedence. */
  applyStatus(status: TaskStatus): void {
    const key = taskKey(status.phase, status.host);
    const task = this.byKey.get(key);
    const final = status.state === 'succeeded' || status.state === 'skipped';
    if (!task || status.decision < task.decision || (this.excluded.has(task.host) && !final)) return;
    const isChange = task.state !== status.state;
    delete task.error;
    delete task.endedAt;
    Object.assign(task, status);
    this.graph[MOVES[status.state]](key);
    if (isChange && status.state === 'blocked') this.events.blocked(task);
  }

  /** The run is over: what has not ended, ends now. */
  close(): void {
    for (const task of this.tasks) {
      if (task.state === 'pending') task.state = 'cancelled';
      if (task.state === 'blocked') task.state = 'failed';
    }
  }

  private moveToFailoverHost(phase: string): void {
    const host = this.phases.get(phase)!.standIns?.find((each) => !this.excluded.has(each));
    if (host === undefined) return;
    const status = newStatus(this.graph.add(phase, host));
    this.statuses.push(status);
    this.byKey.set(taskKey(phase, host), status);
  }

  private start(task: GraphTask): void {
    const status = this.byKey.get(task.key)!;
    status.state = 'running';
    status.attempt += 1;
    status.startedAt = now();
    delete status.endedAt;
    const phase = this.phases.get(task.phase)!;
    const rerun = this.reruns.get(task.key) ?? 0;
    const activityId = `${task.key}:${status.decision}${rerun === 0 ? '' : `.${rerun}`}`;
    const scope = new CancellationScope();
    this.scopes.set(task.key, scope);
    const input = this.inputOf(task.key, status);
    const outcome = scope.run(() => runTaskActivity(this.plan, phase, input, activityId));
    void outcome.then((how) => this.ended(task, status, how, scope.consideredCancelled));
  }

  private inputOf(key: string, { phase, host, decision, attempt }: TaskStatus): TaskInput {
    const { mode } = this.plan;
    const probe = this.graph.probes(key);
    const inWindow = !probe && this.graph.isInWindow(key);
    const { clusterWide: wide, without } = this.phases.get(phase)!;
    const quarantined = [...new Set([...this.plan.quarantined, ...this.excluded])].sort();
    const focus = this.plan.focus?.filter((each) => !this.excluded.has(each));
    return {
      ...this.facts,
      phase,
      host,
      mode,
      specRef: this.specRef,
      decision,
      round: attempt,
      scheduledAt: now(),
      ...(probe ? { probe } : {}),
      ...(inWindow
        ? { window: { excluded: quarantined, yields: this.graph.mayYield(key), served: this.graph.servedWith(key) } }
        : {}),
      ...(wide && quarantined.length > 0 ? { quarantined } : {}),
      ...(wide && focus ? { focus } : {}),
      ...(without ? { without } : {}),
    };
  }

  private ended(task: GraphTask, status: TaskStatus, outcome: TaskOutcome, wasInterrupted: boolean): void {
    this.scopes.delete(task.key);
    status.endedAt = now();
    const again = this.rerunAfter.delete(task.key);
    // One that is stopped may fail of it in its own words; a paused one says so.
    const interrupted = wasInterrupted || (outcome.kind === 'failed' && outcome.error.code === 'TASK_PAUSED');
    if (outcome.kind !== 'done' && this.excluded.has(task.host)) {
      if (outcome.kind === 'failed') status.error = outcome.error;
      this.skip(task.key, status);
    } else if (again && !this.stopped) {
      if (this.waitingForMachine.has(task.host)) this.graph.park(task.key);
      else this.graph.release(task.key);
      this.losses.delete(task.key);
      reset(status);
    } else if (outcome.kind === 'done' && outcome.result.held) {
      this.graph.awaitWindow(task.key, outcome.result.turn);
      status.state = 'pending';
      this.reruns.set(task.key, (this.reruns.get(task.key) ?? 0) + 1);
    } else if (outcome.kind === 'done') {
      this.graph.done(task.key);
      this.record(status, outcome);
    } else if (interrupted && this.stopped) {
      this.graph.park(task.key);
      status.state = 'cancelled';
    } else if (interrupted || this.isWorthAnother(task.key, outcome)) {
      this.graph.release(task.key);
      status.state = 'pending';
      this.reruns.set(task.key, (this.reruns.get(task.key) ?? 0) + 1);
    } else {
      this.graph.park(task.key);
      status.state = 'blocked';
      status.error = outcome.kind === 'failed' ? outcome.error : cancelledFromOutside(status);
      this.events.blocked(status);
    }
    this.dispatch();
  }

  /** A host does not answer for our workers: the attempts that these used up do not count against it. */
  private isWorthAnother(key: string, outcome: TaskOutcome): boolean {
    if (outcome.kind !== 'failed' || !outcome.workerLost || this.stopped) return false;
    const losses = (this.losses.get(key) ?? 0) + 1;
    this.losses.set(key, losses);
    return losses <= LOST_WORKERS;
  }

  private skip(key: string, status: TaskStatus): void {
    this.graph.skip(key);
    status.state = 'skipped';
    delete status.policy;
  }

  private record(status: TaskStatus, { result }: Extract<TaskOutcome, { kind: 'done' }>): void {
    status.state = 'succeeded';
    status.changeCount = result.changeCount;
    status.restarts = result.restarts.length;
    status.commandMs = result.commandMs;
    delete status.error;
    this.changes += result.changeCount;
  }
}

const newStatus = ({ phase, host }: GraphTask): TaskStatus => ({
  phase,
  host,
  state: 'pending',
  attempt: 0,
  decision: 0,
});

/** What a noted state means to the graph. */
const MOVES = {
  pending: 'release',
  running: 'release',
  succeeded: 'done',
  skipped: 'skip',
  blocked: 'park',
  failed: 'park',
  cancelled: 'park',
} as const satisfies Record<TaskState, keyof TaskGraph>;

/** A task is to run again, by decision. */
function reset(task: TaskStatus): void {
  task.state = 'pending';
  task.decision += 1;
  delete task.error;
  delete task.policy;
  delete task.endedAt;
}

const now = (): string => new Date().toISOString();

const cancelledFromOutside = ({ host, phase }: TaskStatus): ErrorReport => ({
  code: 'COMMAND_ABORTED',
  message: 'the task was cancelled in Temporal',
  host,
  phase,
});
